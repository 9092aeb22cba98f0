"""The course of a sweep with scripted jobs: its lines, its results, and the exit code."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pandas as pd
import pytest
from hydra._internal import logging_config

from cxr.commands import experiment
from cxr.compare.runs import SAME
from cxr.config.provenance import Provenance
from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.run.identity.attempt import RunResult
from cxr.sweep import job
from cxr.sweep.outcome import read_outcomes
from cxr.tracking.run import open_run
from cxr.tracking.store import Store, locate_store

Job = Callable[[Config, Provenance], RunResult]
ARGUMENTS = ["cxr", "-m", "loss=plain,focal,balanced", "data=folder", "backbone=phantom", "sweep.reports=none"]
LIKE = {**dict.fromkeys(SAME, "x"), "cxr.judged_on": "test"}


@pytest.fixture
def sweep(fresh_store: Store, phantoms: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Job], int]:
    """Run a sweep of three jobs that are done by the function given."""
    monkeypatch.setattr(logging_config, "configure_logging", lambda config: None)  # it would close the handlers of pytest
    monkeypatch.setattr("cxr.sweep.run.groups_of_heads", lambda jobs, done: [])

    def run(do: Job, *more: str) -> int:
        monkeypatch.setattr(job, "run_experiment", lambda config, provenance, *_: do(config, provenance))
        monkeypatch.setattr(sys, "argv", [*ARGUMENTS, f"data.root={phantoms}", *more])
        return experiment.main(sys.argv[1:])

    return run


def logged(config: Config, auc: float, role: str = "candidate") -> RunResult:
    """A run in the store, without any training."""
    tags = {**LIKE, "cxr.role": role}
    with open_run(locate_store(config.tracking), config, f"run of {config.loss.name}", tags) as run:
        metrics = {"val/auc_macro_ovr": auc, "test/auc_macro_ovr": auc - 0.01, "test/accuracy": 0.5}
        run.log_metrics(metrics)
    return RunResult(run.id, metrics)


AUCS = {"plain": 0.7, "focal": 0.9, "balanced": 0.8}


def scripted(**errors: BaseException) -> Job:
    """Jobs that log the AUC of their loss, but those of some losses fail with an error."""

    def do(config: Config, provenance: Provenance) -> RunResult:
        if error := errors.get(config.loss.name):
            raise error
        return logged(config, AUCS[config.loss.name])

    return do


def test_finished_jobs_are_in_the_table(sweep: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def do(config: Config, provenance: Provenance) -> RunResult:
        assert provenance.job is not None
        assert provenance.job.name == config.loss.name
        if config.loss.name == "plain":
            logged(config, 0.75, role="baseline")
        return logged(config, AUCS[config.loss.name])

    assert sweep(do) == 0
    printed = capsys.readouterr()
    assert "3 jobs, one after another" in printed.err
    assert printed.err.index("[1/3] plain") < printed.err.index("[2/3] focal") < printed.err.index("[3/3] balanced")
    assert "2 to go, about" in printed.err
    (results,) = (tmp_path / "mlruns/sweeps").glob("*/results.csv")
    table = pd.read_csv(results)
    assert list(table["name"]) == ["focal", "balanced", "run of plain", "plain"]
    assert list(table["role"]) == ["candidate", "candidate", "baseline", "candidate"]
    assert table["val/auc_macro_ovr"].is_monotonic_decreasing
    assert "baseline: run of plain" in printed.out
    assert f"LIKE '%{results.parent.name}%'" in printed.out
    assert (results.parent / "results.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("error", "more", "code", "line", "result"),
    [
        (RuntimeError("no more\nmemory"), [], 1, "FAILED, RuntimeError: no more memory", "focal failed: RuntimeError: no more"),
        (UserError("no such thing"), [], 2, "REJECTED, no such thing", "focal was rejected: no such thing"),
        (OSError("full"), ["sweep.on_failure=stop"], 1, "FAILED", "1 job did not end: the same command resumes the sweep"),
    ],
    ids=["failed", "rejected", "stopped"],
)
def test_failed_job_is_reported_at_once_and_the_others_run_unless_the_sweep_stops(
    error: Exception, more: list[str], code: int, line: str, result: str, sweep: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep(scripted(focal=error), *more) == code
    printed = capsys.readouterr()
    jobs = ["[1/3] plain: val/auc_macro_ovr", f"[2/3] focal: {line}", "[3/3] balanced: val/auc_macro_ovr"]
    assert [job in printed.err for job in jobs] == [True, True, not more]
    assert printed.err.index(jobs[1]) > printed.err.index(jobs[0])
    assert result in printed.out


def test_interrupt_prints_how_many_jobs_have_ended(
    sweep: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        sweep(scripted(balanced=KeyboardInterrupt()))
    assert "2 of 3 jobs have ended; the same command resumes the sweep" in capsys.readouterr().err
    (folder,) = (tmp_path / "mlruns/sweeps").iterdir()
    assert [outcome.kind for outcome in read_outcomes(folder)] == ["finished", "finished"]


def test_search_that_is_started_again_chooses_the_same_jobs(sweep: Callable[..., int], tmp_path: Path) -> None:
    jobs: list[str] = []

    def do(config: Config, provenance: Provenance) -> RunResult:
        jobs.append(f"{config.loss.name} {config.optimizer.learning_rate}")
        if len(jobs) == 2:
            raise RuntimeError("a job that fails does not end a search")
        return logged(config, config.optimizer.learning_rate)

    search = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=1", "hydra.sweeper.sampler.seed=0")
    more = (*search, "optimizer.learning_rate=interval(1e-4,1e-2)")
    assert sweep(do, *more) == 1
    first = list(jobs)
    jobs.clear()
    sweep(do, *more)
    assert jobs == first
    assert len(set(first)) == 4


def test_metric_without_a_value_does_not_spoil_the_table(sweep: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    def do(config: Config, provenance: Provenance) -> RunResult:
        with open_run(locate_store(config.tracking), config, config.loss.name, LIKE) as run:
            run.log_metrics({"test/accuracy": 0.5})
        return RunResult(run.id, {})

    assert sweep(do) == 0
    printed = capsys.readouterr()
    assert "plain: val/auc_macro_ovr has no value" in printed.err
    assert "0.500" in printed.out
    assert " nan " not in printed.out


def test_jobs_train_alone_where_heads_can_not_train_side_by_side(
    sweep: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cxr.sweep.run.groups_of_heads", lambda jobs, done: [[0, 1, 2]])
    monkeypatch.setattr("cxr.run.fit.heads.train_heads", Mock(side_effect=MemoryError("of 3 heads")))
    assert sweep(scripted()) == 0
    messages = capsys.readouterr().err
    assert "jobs 1-3 train their heads side by side" in messages
    assert "training side by side failed (MemoryError: of 3 heads): each job trains on its own" in messages
