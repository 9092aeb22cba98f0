"""Reports beside the next job: made in another process, and a failure there harms no run."""

from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
from rich.console import Console

from cxr.config.compose import compose, typed
from cxr.config.provenance import SweepJob
from cxr.evaluation.figures.drawing import Drawn
from cxr.progress import Progress
from cxr.run.identity.attempt import RunResult
from cxr.run.report.reporting import Unreported
from cxr.run.start import run_experiment
from cxr.sweep.reports import BackgroundReports
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import runs_by_id
from cxr.tracking.store import Store
from cxr.tracking.unfinished import Unfinished, close_cut_off_runs

SMALL = ("data.phantom.count=40", "training.epochs=2", "training.threads=1", "augment=none", "evaluation=numbers", "audit=off")


def broken() -> Drawn:
    raise ValueError("no ink")


class Spoiled(BackgroundReports):
    """Hands reports on with a figure that can't be drawn."""

    def take(self, work: Unreported, held: Unfinished) -> None:
        super().take(replace(work, results=replace(work.results, pictures=[partial(broken)])), held)


def run_job(folder: Path, backbone: tuple[str, ...], reports: BackgroundReports | None = None) -> RunResult:
    composed, provenance = compose([*SMALL, *backbone])
    known = replace(provenance, job=SweepJob("sweep", folder, 0, "plain", 1))
    return run_experiment(typed(composed), known, Progress(Console(quiet=True), job="plain", bars=False), reports=reports)


def logged(run_id: str) -> LoggedRun:
    return runs_by_id([run_id])[run_id]


@pytest.mark.slow
def test_job_that_is_the_same_run_again_waits_for_its_report(
    fresh_store: Store, small_backbone: tuple[str, ...], tmp_path: Path
) -> None:
    with BackgroundReports(fresh_store) as reports:
        first, again = run_job(tmp_path, small_backbone, reports), run_job(tmp_path, small_backbone, reports)
    assert (again.run_id, again.was_finished, first.was_finished) == (first.run_id, True, False)


@pytest.mark.slow
def test_report_that_fails_is_made_by_the_same_command(
    fresh_store: Store,
    small_backbone: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Spoiled(fresh_store) as reports:
        result = run_job(tmp_path, small_backbone, reports)
        assert logged(result.run_id).status == "RUNNING"
        assert not close_cut_off_runs(fresh_store)  # its folder is held until the report is there
    assert reports.failed == ["plain"]
    assert "its report failed (ValueError: no ink): the same command, or cxr evaluate" in capsys.readouterr().err
    run = logged(result.run_id)
    assert (run.status, run.has_file("model/model.keras"), run.has_file("report.html")) == ("FAILED", True, False)
    assert "test/accuracy" in run.metrics

    with BackgroundReports(fresh_store) as reports:
        monkeypatch.setattr(reports._pool, "submit", Mock(side_effect=BrokenProcessPool))  # so this process makes the report
        again = run_job(tmp_path, small_backbone, reports)
    assert (again.run_id, reports.failed) == (result.run_id, [])
    run = logged(result.run_id)
    assert (run.status, run.is_finished, run.has_file("report.html")) == ("FINISHED", True, True)
    assert run_job(tmp_path, small_backbone).was_finished
    assert "seconds/log" in run.metrics
