"""Attempts at one run: a finished one, an interrupted one, and the claim of this process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from cxr.config.fingerprint import fingerprint_of
from cxr.errors import TrainingDiverged
from cxr.evaluation.report.files import DOCUMENT
from cxr.progress import Progress
from cxr.run.prepared import PreparedRun
from cxr.tracking.search import LoggedRun, finished_runs
from cxr.tracking.store import work_folder
from cxr.tracking.unfinished import Unfinished, claim

# What others read of a finished run: where one of them is gone, the run has to be done again.
_NEEDED = ("model/model.keras", "predictions/val.csv", "evaluation/metrics.json", "data/manifest.csv", "config/config.yaml")


@dataclass(frozen=True)
class RunResult:
    """A run that finished: its id, and its final metrics as the store names them (val/accuracy, test/accuracy, ...)."""

    run_id: str
    metrics: Mapping[str, float]
    was_finished: bool = False  # by an earlier run of the same config, data and code, so a sweep skipped it


def folder_name(prepared: PreparedRun) -> str:
    """The name of the folder in which a run keeps what it needs to go on."""
    return fingerprint_of(prepared.config.tracking.experiment, *prepared.fingerprints.values())


def wants_report(prepared: PreparedRun) -> bool:
    """Whether the run ends with a report: a job of a sweep may not."""
    return prepared.provenance.job is None or prepared.config.sweep.reports == "all"


def finished_twin(prepared: PreparedRun) -> LoggedRun | None:
    """The latest finished run of the same config, data, split, code, experiment and role that still has its files.

    The store has to be open. A run without the report that this one is to have is none.
    """
    needed = (*_NEEDED, DOCUMENT) if wants_report(prepared) else _NEEDED
    return next((run for run in _alike(prepared) if all(run.has_file(name) for name in needed)), None)


def unreported_twin(prepared: PreparedRun) -> LoggedRun | None:
    """The latest such run that has everything but a report; none unless this job of a sweep is to have one."""
    if prepared.provenance.job is None or prepared.config.force or not wants_report(prepared):
        return None
    complete = (run for run in _alike(prepared) if all(run.has_file(name) for name in _NEEDED))
    return next((run for run in complete if not run.has_file(DOCUMENT)), None)


def _alike(prepared: PreparedRun) -> list[LoggedRun]:
    tracking = prepared.config.tracking
    return finished_runs({**prepared.fingerprints, "cxr.role": tracking.role}, tracking.experiment)


@contextmanager
def claimed(prepared: PreparedRun, progress: Progress) -> Iterator[Unfinished]:
    """Hold the folder of this run while it is under way. What was trained stays there for the next attempt.

    A job of a sweep waits while another process holds the folder.
    """
    job = prepared.provenance.job
    waiting = f"{job.name if job else 'this run'} is under way in another process: waiting for it"
    unfinished = claim(
        folder_name(prepared),
        anew=prepared.config.force,
        on_wait=(lambda: progress.console.print(f"cxr: {waiting}")) if job else None,
        work=work_folder(prepared.config.work),
    )
    try:
        yield unfinished
    except KeyboardInterrupt:
        unfinished.let_go()
        raise
    except TrainingDiverged:  # another attempt would go the same way
        unfinished.remove()
        raise
    except BaseException:
        if not unfinished.can_go_on:
            unfinished.remove()
            raise
        unfinished.let_go()
        progress.line("  what was trained is kept: the same command resumes from there (force=true starts again)")
        raise
    if not unfinished.handed_over:
        unfinished.remove()
