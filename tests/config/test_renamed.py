"""Names of version 0.1 still work, on the command line and in logged configs."""

from pathlib import Path

import pytest

from cxr.config.fields import settings
from cxr.config.options import option_groups
from cxr.config.renamed import OPTIONS, SETTINGS
from cxr.config.schema import Config
from cxr.run.identity.logged import read_logged, restore
from cxr.stages.basis import Basis
from cxr.stages.record import Record
from cxr.tracking.logged_run import LoggedRun
from tests.conftest import Command
from tests.untrained_runs import leave_out, say, say_overrides


@pytest.mark.parametrize("group", sorted(OPTIONS))
def test_each_new_name_is_an_option_and_no_old_one_is(group: str) -> None:
    offered = option_groups()[group]
    assert set(OPTIONS[group].values()) <= set(offered)
    assert not set(OPTIONS[group]) & set(offered)


def test_each_new_setting_is_in_the_schema_and_no_old_one_is() -> None:
    known = {key for key, _, _ in settings(Config())}
    assert set(SETTINGS.values()) <= known
    assert not set(SETTINGS) & known


def test_the_command_line_names_the_new_name(run_cxr: Command, tmp_path: Path) -> None:
    done = run_cxr("--cfg", "job", "split=seed_80_20", "evaluation.heat_images=3", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "split=seed_80_20 is now called split=train_val_80_20" in done.stderr
    assert "name: train_val_80_20" in done.stdout
    assert "saliency_images: 3" in done.stdout


def test_a_run_that_was_logged_with_old_names_is_restored(run: LoggedRun) -> None:
    say(run, "evaluation.heat_images", 7)
    leave_out(run, "evaluation.saliency_images")
    say_overrides(
        run, "data.phantom.count=30", "freeze=top_block", "training.seed=3", "split=seed_80_20", "evaluation.heat_images=7"
    )
    restored = restore(read_logged(run), [])
    assert restored.config.evaluation.saliency_images == 7
    assert restored.provenance.overrides[-2:] == ("split=train_val_80_20", "evaluation.saliency_images=7")
    assert not [note for note in restored.notes if "no longer compose" in note]


def test_record_with_an_old_setting_counts_as_one_with_the_new() -> None:
    old, new = (Record(Basis(settings={f"augment.{name}": "0.4"}), {}) for name in ("surroundings", "background"))
    assert Record.from_json(old.to_json()) == new
