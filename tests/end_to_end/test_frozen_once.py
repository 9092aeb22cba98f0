"""Frozen work once: a later run computes only new activations, and a run without a cache gives the same results."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cxr.config.schema import TrackingConfig
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import filtered_runs
from cxr.tracking.store import locate_store, open_store
from tests.conftest import Command

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small(small_backbone: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory, cxr_here: Command) -> tuple[Path, list[str]]:
    """A folder where three small runs were done: one, another loss, the first again without a cache; and their Time lines."""
    folder = tmp_path_factory.mktemp("runs")
    lines: list[str] = []
    common = (
        *small_backbone,
        *("data.phantom.count=60", "training.epochs=2", "optimizer=sgd", "optimizer.learning_rate=1e-3", "split=train_val_80_20"),
        *("augment=light", "evaluation=numbers", "audit=off"),
    )
    for more, cache in ((["tracking.run_name=first"], "kept"), (["loss=focal"], "kept"), (["training.cache=off"], "nothing")):
        done = cxr_here(*common, *more, folder=folder, CXR_CACHE=str(folder / cache))
        assert done.returncode == 0, done.stderr
        lines.extend(line for line in done.stderr.splitlines() if line.startswith("Time: "))
    return folder, lines


@pytest.fixture(scope="module")
def runs(small: tuple[Path, list[str]]) -> list[LoggedRun]:
    """The three, in their order."""
    open_store(locate_store(TrackingConfig(uri=f"sqlite:///{small[0]}/mlruns/mlflow.db")))
    return filtered_runs("attributes.status = 'FINISHED'")[::-1]


def test_second_run_computes_nothing_below_the_boundary(runs: list[LoggedRun]) -> None:
    computed = [run.metrics["frozen/computed"] for run in runs]
    cached = [run.metrics["frozen/from_cache"] for run in runs]
    assert (computed, cached) == ([2 * 48 + 12, 0, 0], [0, 2 * 48 + 12, 0])


def test_run_without_a_cache_has_the_same_predictions_and_keeps_nothing(
    small: tuple[Path, list[str]], runs: list[LoggedRun]
) -> None:
    kept, plain = (pd.read_csv(run.file("predictions/val.csv")) for run in (runs[0], runs[2]))
    columns = [name for name in kept if str(name).startswith("p_")]
    np.testing.assert_allclose(kept[columns], plain[columns], atol=1e-4)
    assert list(kept["id"]) == list(plain["id"])
    assert (small[0] / "kept/activations").is_dir()
    assert {path.name for path in (small[0] / "nothing").iterdir()} == {"phantoms"}  # which are drawn, and no one's


def test_time_line_names_the_stages(small: tuple[Path, list[str]], runs: list[LoggedRun]) -> None:
    first, second, plain = small[1]
    for name in ("index", "decode", "train", "evaluate", "log", "start-up"):
        assert f"{name} " in first
    assert "(108 computed, " in first
    assert "frozen part 0 s (108 activations from the cache)" in second
    assert "decode" not in second
    assert "frozen" not in plain
    for name in ("index", "decode", "frozen", "train", "evaluate", "log", "start"):
        assert runs[0].metrics[f"seconds/{name}"] >= 0


def test_saved_model_gives_the_same_probabilities(runs: list[LoggedRun]) -> None:
    assert all(run.metrics["model/largest_difference"] <= 1e-4 for run in runs)
