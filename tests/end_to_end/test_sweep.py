"""Real sweeps: parallel jobs in an empty store, and a sweep that is killed and resumed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Run

from tests.conftest import Command
from tests.logged_runs import runs_in

pytestmark = pytest.mark.slow

SMALL = (
    *("data.phantom.count=60", "freeze=last_block", "freeze.warmup_epochs=1", "training.epochs=3"),
    *("training.deterministic=true", "evaluation=numbers", "audit=off"),
)
LIMIT = 240  # seconds


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sweeps")


@pytest.fixture(scope="module")
def parallel(folder: Path, small_backbone: tuple[str, ...], run_cxr: Command) -> tuple[subprocess.CompletedProcess[str], list[Run]]:
    """Two jobs side by side, in a folder that has no store yet."""
    done = run_cxr(
        "-m", "loss=plain,focal", *SMALL, *small_backbone, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", folder=folder
    )
    return done, runs_in(folder)


def test_parallel_jobs_start_from_an_empty_store(parallel: tuple[subprocess.CompletedProcess[str], list[Run]]) -> None:
    done, runs = parallel
    assert done.returncode == 0, done.stderr
    assert "2 jobs, 2 at once" in done.stderr
    assert "[2/2] " in done.stderr
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    assert {run.info.run_name for run in runs} == {"plain", "focal"}
    assert len({run.data.tags["cxr.sweep_id"] for run in runs}) == 1


def test_parallel_job_is_the_same_to_the_bit_as_alone(
    folder: Path,
    parallel: tuple[subprocess.CompletedProcess[str], list[Run]],
    small_backbone: tuple[str, ...],
    tmp_path: Path,
    run_cxr: Command,
) -> None:
    """In deterministic mode, which takes the same threads however many jobs share the cores."""
    assert run_cxr("loss=plain", *SMALL, *small_backbone, folder=tmp_path).returncode == 0
    (alone,) = tmp_path.glob("mlruns/artifacts/*/artifacts/predictions")
    beside = next(run for run in parallel[1] if run.info.run_name == "plain")
    for part in ("val.csv", "test.csv"):
        there = folder / f"mlruns/artifacts/{beside.info.run_id}/artifacts/predictions" / part
        assert (alone / part).read_bytes() == there.read_bytes()


def test_killed_sweep_ends_complete_when_started_again(
    folder: Path,
    parallel: tuple[subprocess.CompletedProcess[str], list[Run]],
    small_backbone: tuple[str, ...],
    cxr_here: Command,
    cache_home: Path,
) -> None:
    larger = ("-m", "loss=plain,focal,balanced", *SMALL, *small_backbone)
    process = subprocess.Popen(
        [sys.executable, "-m", "cxr", *larger],
        cwd=folder,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}, "XDG_CACHE_HOME": str(cache_home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + LIMIT
    while not list(folder.glob("mlruns/unfinished/*/state.npz")):  # an epoch of the third job is done
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (cut_off,) = (run for run in runs_in(folder) if run.info.status == "RUNNING")
    done = cxr_here(*larger, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "3 jobs, one after another, 2 of them finished before" in done.stderr
    runs = {run.info.run_name: run for run in runs_in(folder)}
    assert {name: run.info.status for name, run in runs.items()} == dict.fromkeys(("plain", "focal", "balanced"), "FINISHED")
    assert runs["balanced"].info.run_id == cut_off.info.run_id
    steps = [point.step for point in mlflow.MlflowClient().get_metric_history(cut_off.info.run_id, "train/loss")]
    assert steps == [1, 2, 3]
    sweep = runs["balanced"].data.tags["cxr.sweep_id"]
    assert len(runs_in(folder, f"tags.`cxr.sweep_id` LIKE '%{sweep}%'")) == 3
    assert not list(folder.glob("mlruns/unfinished/*"))


HEADS = ("data.phantom.count=60", "training.epochs=2", "augment=none", "audit=off", "evaluation.resamples=100")


def test_heads_train_side_by_side_and_reports_are_made_on_request(
    small_backbone: tuple[str, ...], cxr_here: Command, tmp_path: Path
) -> None:
    """None, then that of the best, then all: of the same three runs, which are trained once."""

    def sweep(reports: str) -> tuple[str, dict[str, Path]]:
        done = cxr_here("-m", "loss=plain,focal,balanced", *HEADS, *small_backbone, f"sweep.reports={reports}", folder=tmp_path)
        assert done.returncode == 0, done.stderr
        runs = runs_in(tmp_path)
        assert {run.info.status for run in runs} == {"FINISHED"}
        return done.stderr, {run.info.run_id: tmp_path / f"mlruns/artifacts/{run.info.run_id}/artifacts" for run in runs}

    progress, runs = sweep("none")
    assert "jobs 1-3 train their heads side by side" in progress
    assert len(runs) == 3
    assert not any((folder / "report.html").exists() for folder in runs.values())
    assert all((folder / "evaluation/metrics.json").exists() for folder in runs.values())
    progress, again = sweep("best")
    assert again == runs
    assert "is the best: making its report" in progress
    assert sum((folder / "report.html").exists() for folder in runs.values()) == 1
    progress, again = sweep("all")
    assert again == runs
    assert "side by side" not in progress
    assert all((folder / "report.html").exists() for folder in runs.values())
    assert all((folder / "evaluation/grad_cam.png").exists() for folder in runs.values())
