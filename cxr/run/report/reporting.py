"""The report of a run, from its numbers and pictures: figures, pages and the comparison with the baseline.

It needs neither TensorFlow nor the images, so another process can make it while the next job of a sweep trains.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from cxr.compare.baseline import AgainstBaseline, against_baseline
from cxr.config.provenance import Provenance
from cxr.config.schema import Config
from cxr.evaluation.report.document import ReportContext
from cxr.progress import Progress
from cxr.run.identity.remaining import record_stage
from cxr.run.report.artifacts import Results, record_costs, record_log, record_report
from cxr.run.report.context import beside_baseline
from cxr.run.report.summary import describe_seconds
from cxr.stages.basis import Basis
from cxr.stages.record import Record, written_by
from cxr.stages.table import Stage
from cxr.tracking.run import Run, open_run
from cxr.tracking.scratch import scratch
from cxr.tracking.store import Store, open_store
from cxr.tracking.unfinished import Unfinished
from cxr.training.history import FrozenWork


@dataclass(frozen=True)
class Unreported:
    """A run that lacks nothing but its report, and all that the report is made of."""

    store: Store
    run_id: str
    name: str
    config: Config
    provenance: Provenance
    tags: Mapping[str, str | None]
    context: ReportContext
    results: Results
    frozen: FrozenWork
    seconds: Mapping[str, float]  # by stage, so far
    log: tuple[str, ...]
    basis: Basis  # of the report


class Reports(Protocol):
    """What makes reports of a sweep's jobs beside their training."""

    def wait_for(self, folder: str) -> None:
        """Wait for the report of a run that holds the folder of this name: a job may be the same run again."""

    def take(self, work: Unreported, held: Unfinished) -> None:
        """Make the report, finish the run, and then let go of its folder."""


def make_report(work: Unreported, run: Run, folder: Path, progress: Progress) -> AgainstBaseline | None:
    """Draw and write all of it into the store, with what the run cost. Returns the comparison; a baseline has none."""
    with progress.stage("log", "Drawing figures, writing the report, logging all of it"):
        is_baseline = work.config.tracking.role == "baseline"
        against = None if is_baseline else against_baseline(work.tags, work.results.evaluated, work.provenance)
        results = replace(work.results, against=against)
        context, dpi = beside_baseline(work.context, against), work.config.evaluation.figure_dpi
        record_report(run, context, results, dpi, folder / "report")
        record_stage(run, Stage.REPORT, Record(work.basis, written_by(Stage.REPORT, run.files)))
    close_account(work, run, folder, progress)
    return against


def close_account(work: Unreported, run: Run, folder: Path, progress: Progress) -> None:
    """Log where the time of a run went, and its lines."""
    record_costs(run, progress.seconds, work.frozen, step=work.results.history.epochs[-1].number)
    progress.line(describe_seconds(progress.seconds, work.frozen))
    record_log(run, progress.log, folder / "log")


def report_and_finish(work: Unreported) -> str:
    """Make the report and finish the run, in whatever process. Returns what went wrong, or ""."""
    progress = Progress(job=work.name, bars=False)
    progress.seconds.update(work.seconds)
    progress.log.extend(work.log)
    try:
        open_store(work.store)
        with open_run(work.store, work.config, work.name, {}, resumed=work.run_id) as run, scratch() as folder:
            make_report(work, run, folder, progress)
    except Exception as error:  # of drawing or of the store; the run says so too
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ""
