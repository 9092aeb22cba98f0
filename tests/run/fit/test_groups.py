"""Which jobs train their heads side by side, and why others don't."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from cxr.run.fit.groups import SideBySide, groups_of_heads, why_alone
from cxr.run.prepared import PreparedRun
from cxr.tracking.store import Store
from tests.run.conftest import prepared_run

SMALL = ("data=folder", "backbone=phantom", "freeze=head")
Prepare = Callable[..., PreparedRun]


@pytest.fixture
def prepared(fresh_store: Store, phantoms: Path) -> Prepare:
    """A prepared run of forty phantoms, by overrides."""
    return partial(prepared_run, *SMALL, f"data.root={phantoms}")


def test_jobs_that_share_batches_are_a_group(prepared: Prepare) -> None:
    jobs = [
        prepared("loss=focal"),
        prepared("training.seed=1"),
        prepared("optimizer=sgd", "training.epochs=3", "evaluation.specificity=0.9"),
        prepared("training.batch_size=7"),
        prepared("training.seed=1", "loss=balanced"),
        prepared("augment=light"),
    ]
    assert groups_of_heads(jobs, done=set()) == [[0, 2], [1, 4]]
    assert groups_of_heads(jobs, done={2}) == [[1, 4]]


@pytest.mark.parametrize(
    ("override", "reason"),
    [
        ("freeze=last_block", "a backbone that trains"),
        *((setting, setting) for setting in ("training.deterministic=true", "training.cache=false", "force=true")),
        *((f"{key}=0.5", key) for key in ("augment.mixup", "optimizer.clip_norm", "training.weight_average")),
        ("loss=group_robust", "loss.group_robust"),
    ],
)
def test_job_trains_alone_for_a_setting(override: str, reason: str, prepared: Prepare) -> None:
    jobs = [prepared(override), prepared(override, "optimizer.learning_rate=0.01")]
    assert [why_alone(job) for job in jobs] == [reason, reason]
    assert not groups_of_heads(jobs, done=set())


def test_note_of_a_group_is_read_back(tmp_path: Path) -> None:
    assert SideBySide.read(tmp_path) is None
    note = SideBySide(3, 1.5, 2.5, 40)
    note.write(tmp_path)
    assert SideBySide.read(tmp_path) == note
    (tmp_path / "side_by_side.json").write_text("[]")
    assert SideBySide.read(tmp_path) is None
