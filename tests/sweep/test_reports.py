"""Reports beside the next job: made in another process, and a failure there harms no run."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from cxr.config.compose import compose, typed
from cxr.config.provenance import SweepJob
from cxr.evaluation.figures.drawing import Drawn
from cxr.progress import Progress
from cxr.run.attempt import RunResult
from cxr.run.reporting import Reports, Unreported
from cxr.run.start import run_experiment
from cxr.sweep.reports import BackgroundReports
from cxr.tracking.search import LoggedRun, runs_by_id
from cxr.tracking.store import Store, locate_store
from cxr.tracking.unfinished import Unfinished, close_cut_off_runs

SMALL = ("data.phantom.count=40", "training.epochs=2", "training.threads=1", "augment=none", "evaluation=numbers", "audit=off")


def broken() -> Drawn:
    raise ValueError("no ink")


class Spoiled:
    """Hands reports on with a figure that can't be drawn."""

    def __init__(self, reports: BackgroundReports) -> None:
        self.reports = reports

    def has_room(self) -> bool:
        return self.reports.has_room()

    def wait_for(self, folder: str) -> None:
        self.reports.wait_for(folder)

    def take(self, work: Unreported, held: Unfinished) -> None:
        self.reports.take(replace(work, results=replace(work.results, pictures=[partial(broken)])), held)


def job(folder: Path, reports: Reports | None = None) -> RunResult:
    composed, provenance = compose(list(SMALL))
    known = replace(provenance, job=SweepJob("sweep", folder, 0, "plain", 1))
    return run_experiment(typed(composed), known, Progress(Console(quiet=True), job="plain", bars=False), reports=reports)


def found(run_id: str) -> LoggedRun:
    return runs_by_id([run_id])[run_id]


@pytest.mark.slow
def test_a_job_that_is_another_once_more_waits_for_its_report(fresh_store: Store, tmp_path: Path) -> None:
    reports = BackgroundReports(fresh_store)
    once, again = job(tmp_path, reports), job(tmp_path, reports)
    reports.finish()
    assert (again.run_id, again.was_finished, once.was_finished) == (once.run_id, True, False)


@pytest.mark.slow
def test_a_report_that_fails_is_made_by_the_same_command(
    fresh_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = BackgroundReports(locate_store(typed(compose(list(SMALL))[0]).tracking))
    made = job(tmp_path, Spoiled(reports))
    assert found(made.run_id).status == "RUNNING"
    assert not close_cut_off_runs(fresh_store)  # its folder is held until the report is there
    reports.finish()
    assert reports.failed == ["plain"]
    assert "its report failed (ValueError: no ink): the same command, or cxr evaluate" in capsys.readouterr().err
    run = found(made.run_id)
    assert (run.status, run.has_file("model/model.keras"), run.has_file("report.html")) == ("FAILED", True, False)
    assert "test/accuracy" in run.metrics

    reports = BackgroundReports(fresh_store)
    again = job(tmp_path, reports)
    reports.finish()
    assert (again.run_id, reports.failed) == (made.run_id, [])
    run = found(made.run_id)
    assert (run.status, run.is_finished, run.has_file("report.html")) == ("FINISHED", True, True)
    assert job(tmp_path).was_finished
    assert "seconds/log" in run.metrics
