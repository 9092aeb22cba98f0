"""`cxr audit RUN`: a planted marker is found and named, and the result is with the run."""

import json
from pathlib import Path

import mlflow
import pytest

from tests.conftest import Command

pytestmark = pytest.mark.slow
SMALL = ("data.phantom.count=150", "training.epochs=2", "evaluation=numbers")
MARKED = ("data.phantom.shortcut=marker", "audit=off", *SMALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, cxr_here: Command) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    assert cxr_here(*MARKED, "tracking.run_name=marked", folder=folder).returncode == 0
    return folder


def test_planted_marker_is_found_and_stored_with_the_run(folder: Path, cxr_here: Command) -> None:
    done = cxr_here("audit", "marked", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "the four corners, with markers and text alone: AUC" in " ".join(done.stdout.split())
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlruns/mlflow.db")
    (run,) = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert run.info.status == "FINISHED"
    assert run.data.tags["cxr.audit"] in ("some", "strong")
    assert run.data.metrics["audit/auc_of_corners"] > 0.8
    (document,) = folder.glob("mlruns/artifacts/*/artifacts/audit/audit.json")
    assert json.loads(document.read_text())["verdict"]["places"][0] in ("corners", "marks")


def test_run_ends_with_its_audit(tmp_path: Path, cxr_here: Command) -> None:
    done = cxr_here(*SMALL, "audit.images=120", "data.phantom.shortcut=border", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (artifacts,) = tmp_path.glob("mlruns/artifacts/*/artifacts")
    document = json.loads((artifacts / "audit/audit.json").read_text())
    assert (document["images"], document["verdict"]["light"]) == (120, "strong")
    assert "Strong evidence of a shortcut" in (artifacts / "report.html").read_text()
    report = json.loads((artifacts / "report.json").read_text())
    assert report["context"]["audit"]["light"] == "strong"
    assert "prepare=thorax_crop" in report["context"]["audit"]["advice"]
