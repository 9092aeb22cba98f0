"""A sweep over two backbones at two depths: it ends with one table, and a run of it is compared, evaluated again and reproduced."""

from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import Command

pytestmark = pytest.mark.slow

SWEEP = ("-m", "backbone=mobilenet_v2,mobilenet_v3_small", "freeze=head,last_stage")
SMALL = (
    *("backbone.weights=none", "backbone.image_size=32", "data.phantom.count=60", "training.epochs=2", "freeze.warmup_epochs=0"),
    *("training.deterministic=true", "evaluation=numbers", "audit=off"),
)
NAMES = {f"{backbone}-{depth}" for backbone in ("mobilenet_v2", "mobilenet_v3_small") for depth in ("head", "last_stage")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cxr_here: Command) -> Path:
    folder = tmp_path_factory.mktemp("backbones")
    done = cxr_here(*SWEEP, *SMALL, folder=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_every_job_is_in_the_table(folder: Path) -> None:
    (table,) = folder.glob("mlruns/sweeps/*/results.csv")
    results = pd.read_csv(table)
    assert set(results["name"]) == NAMES
    assert results["run_id"].is_unique  # no job is taken for another
    assert results["val/auc_macro_ovr"].between(0, 1).all()


def test_two_backbones_are_compared(folder: Path, cxr_here: Command) -> None:
    done = cxr_here("compare", "mobilenet_v3_small-last_stage", "mobilenet_v2-last_stage", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "backbone.name: mobilenet_v3_small, mobilenet_v2" in done.stdout
    assert "freeze.trainable_from: " in done.stdout


def test_run_is_evaluated_on_other_images(folder: Path, cxr_here: Command) -> None:
    other = ("data=phantom", "data.phantom.seed=7", "data.phantom.count=30", "evaluation=numbers")
    done = cxr_here("evaluate", "mobilenet_v3_small-last_stage", *other, folder=folder)
    assert done.returncode == 0, done.stderr


def test_run_is_reproduced_to_the_bit(folder: Path, cxr_here: Command) -> None:
    done = cxr_here("reproduce", "mobilenet_v3_small-last_stage", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "identical to the bit" in done.stdout
