"""A run that starts from another: better than from random weights, its report names the origin, and it is reproduced."""

import json
import subprocess
from pathlib import Path

import pytest
from mlflow.entities import Run

from tests.conftest import Command
from tests.logged_runs import runs_in

pytestmark = pytest.mark.slow

PRETRAINED = ("data.phantom.count=200", "data.phantom.seed=1", "freeze=last_stage", "freeze.warmup_epochs=1", "training.epochs=5")
ELSEWHERE = ("data.phantom.count=120", "data.phantom.seed=2", "freeze=head", "training.epochs=5", "training.deterministic=true")
BOTH = ("augment=none", "evaluation=numbers", "audit=off", "optimizer.learning_rate=3e-3")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cxr_here: Command) -> Path:
    """A store with a run on one set of phantoms, and two on another set: from its backbone, and from random weights."""
    folder = tmp_path_factory.mktemp("transfer")
    starts = {"transferred": "run:pretrained", "random": "none"}
    for name, overrides in {
        "pretrained": PRETRAINED,
        **{name: (*ELSEWHERE, f"backbone.weights={start}") for name, start in starts.items()},
    }.items():
        done = cxr_here(*overrides, *BOTH, f"tracking.run_name={name}", folder=folder)
        assert done.returncode == 0, done.stderr
    return folder


def run_named(name: str, folder: Path) -> Run:
    (run,) = runs_in(folder, f"run_name = '{name}'")
    return run


def test_transferred_start_is_better_than_a_random_one(folder: Path) -> None:
    auc = {name: run_named(name, folder).data.metrics["test/auc_macro_ovr"] for name in ("transferred", "random")}
    assert auc["transferred"] > auc["random"] + 0.1


def test_report_names_the_origin(folder: Path) -> None:
    run, origin = run_named("transferred", folder), run_named("pretrained", folder)
    artifacts = folder / f"mlruns/artifacts/{run.info.run_id}/artifacts"
    assert f"those of {origin.info.run_id}" in (artifacts / "report.html").read_text()
    assert f"those of {origin.info.run_id}" in (artifacts / "model_card.md").read_text()
    assert origin.info.run_id in json.dumps(json.loads((artifacts / "report.json").read_text()))
    assert run.data.params["backbone.weights"] == f"run:{origin.info.run_id}"


def test_transferred_run_is_reproduced_to_the_bit(folder: Path, cxr_here: Command) -> None:
    done: subprocess.CompletedProcess[str] = cxr_here("reproduce", "transferred", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "identical to the bit" in done.stdout
