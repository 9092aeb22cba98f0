"""One job of a sweep, in the process that Hydra's launcher chose. If it fails, the other jobs continue."""

import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from omegaconf import DictConfig

from cxr.config.compose import provenance_of, sweep_job, typed
from cxr.config.schema import Config
from cxr.errors import RunFailed, UserError
from cxr.progress import Progress
from cxr.run.prepared import PreparedRun, prepare
from cxr.run.report.reporting import Reports
from cxr.run.start import run_experiment
from cxr.sweep.node import Planned, check_images, check_node
from cxr.sweep.outcome import Kind, Outcome, read_outcomes, time_left
from cxr.sweep.plan import Plan
from cxr.system import keep_going_without_output, prepare_memory
from cxr.text import duration, printable
from cxr.tracking.store import Store, locate_store, names_server

_PATIENCE = 60  # seconds that a job waits for its store


@dataclass(frozen=True)
class RemoteJob:
    """Hydra's task function for jobs in other processes, which may be on other machines."""

    planned: Planned

    def __call__(self, composed: DictConfig) -> float | None:
        """Do the job; raises `UserError` on a machine that does not see the sweep's folder."""
        check_node(self.planned)
        return run_job(composed, planned=self.planned)


def run_job(composed: DictConfig, reports: Reports | None = None, planned: Planned | None = None) -> float | None:
    """Do the job that Hydra runs, write its outcome, and return the objective.

    None if it failed, or if the sweep stops after a failure.
    """
    folder, number = sweep_job()
    plan, provenance = Plan.load(folder), provenance_of(composed)

    def prepare_here(progress: Progress, name: str) -> PreparedRun:
        config, recipe = typed(composed), replace(provenance, job=plan.job(number, name))
        prepared = prepare(config, recipe, progress, store=_wait_for_store(config))
        if planned is not None:
            check_images(planned, number, prepared)
        return prepared

    return _do(plan, folder, number, provenance.overrides, prepare_here, reports)


def run_prepared_job(plan: Plan, number: int, prepared: PreparedRun, reports: Reports | None) -> None:
    """Do a job that was composed and prepared with the plan: Hydra would compose it twice more."""

    def same(progress: Progress, name: str) -> PreparedRun:
        _wait_for_store(prepared.config)
        return prepared

    _do(plan, plan.folder, number, prepared.provenance.overrides, same, reports)


def _do(
    plan: Plan,
    folder: Path,
    number: int,
    overrides: Sequence[str],
    prepared_by: Callable[[Progress, str], PreparedRun],
    reports: Reports | None,
) -> float | None:
    started, name = time.perf_counter(), plan.name_of(number, overrides)
    if plan.stops and any(outcome.is_bad for outcome in read_outcomes(folder)):
        return None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a worker that is stopped closes its run as interrupted
    keep_going_without_output()
    prepare_memory()  # a worker is a separate process
    progress = Progress(job=f"[{number + 1}/{plan.count}] {name}", bars=plan.at_once == 1)
    outcome = Outcome(number, name, "failed", overrides=tuple(overrides))
    try:
        prepared = prepared_by(progress, name)
        end = run_experiment(prepared.config, prepared.provenance, progress, reports, prepared)
        kind: Kind = "before" if end.was_finished else "finished"
        outcome = replace(outcome, kind=kind, run_id=end.run_id, objective=end.metrics.get(plan.metric))
    except UserError as error:
        outcome = replace(outcome, kind="rejected", reason=str(error))
    except RunFailed as failure:
        outcome = replace(outcome, reason=str(failure))
    except Exception as error:
        traceback.print_exc()
        outcome = replace(outcome, reason=f"{type(error).__name__}: {error}")
    outcome = replace(outcome, seconds=time.perf_counter() - started)
    outcome.save(folder)
    print_end(outcome, plan, read_outcomes(folder))
    return outcome.objective


def _wait_for_store(config: Config) -> Store:
    """Locate the store, once a server that is restarted is back: a job that starts just then would be rejected."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            return locate_store(config.tracking, config.work)
        except UserError:  # the sweep found it when it began
            if not names_server(config.tracking) or time.monotonic() > until:
                raise
            time.sleep(2)


def print_end(outcome: Outcome, plan: Plan, done: Sequence[Outcome]) -> None:
    """Print a line on a job that has ended, the last of those that are done, with the time that those to come will take."""
    width = len(str(plan.count))
    objective = "has no value" if outcome.objective is None else f"{outcome.objective:.4f}"
    end = {
        "finished": f"{plan.metric} {objective}, {duration(outcome.seconds)}",
        "before": f"{plan.metric} {objective}, finished before",
        "rejected": f"REJECTED, {outcome.reason}",
        "failed": f"FAILED, {outcome.reason}",
    }[outcome.kind]
    left = time_left(done, plan.count, plan.at_once)
    ahead = f"; {plan.count - len(done)} to go" if len(done) < plan.count else ""
    if ahead and left is not None:
        ahead += f", about {duration(left)}"
    line = f"[{len(done):>{width}}/{plan.count}] {outcome.name}: {' '.join(end.split())}{ahead}"
    print(printable(line), file=sys.stderr, flush=True)
