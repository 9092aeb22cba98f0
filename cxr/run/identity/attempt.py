"""Attempts at one run: what a finished one is to its caller, and the claim of this process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from cxr.errors import TrainingDiverged
from cxr.progress import Progress
from cxr.run.prepared import PreparedRun
from cxr.stages.code import short_hash
from cxr.stages.table import Stage
from cxr.tracking.store import work_folder
from cxr.tracking.unfinished import Unfinished, claim


@dataclass(frozen=True)
class RunResult:
    """A run that finished: its id, and its final metrics as the store names them (val/accuracy, test/accuracy, ...)."""

    run_id: str
    metrics: Mapping[str, float]
    was_finished: bool = False  # an earlier run had all of it


def folder_name(prepared: PreparedRun) -> str:
    """The name of the folder in which a run keeps what it needs to resume its training."""
    tracking = prepared.config.tracking
    return short_hash("\n".join((tracking.experiment, tracking.role, prepared.inputs.bases[Stage.TRAIN].fingerprint)))


@contextmanager
def claimed(prepared: PreparedRun, progress: Progress) -> Iterator[Unfinished]:
    """Hold the folder of this run while it is under way. What was trained stays there for the next attempt.

    A job of a sweep waits while another process holds the folder.
    """
    job = prepared.provenance.job
    waiting = f"{job.name if job else 'this run'} is under way in another process: waiting for it"
    unfinished = claim(
        folder_name(prepared),
        fresh=prepared.config.force,
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
        if not unfinished.can_resume:
            unfinished.remove()
            raise
        unfinished.let_go()
        progress.line("  what was trained is kept: the same command resumes from there (force=true starts again)")
        raise
    if not unfinished.handed_over:
        unfinished.remove()
