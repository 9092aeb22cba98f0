"""One job of a sweep, in whatever process Hydra's launcher runs it; whatever comes of it, the other jobs go on."""

import signal
import sys
import threading
import time
import traceback
from dataclasses import replace

from omegaconf import DictConfig

from cxr.composition import job_of, recipe_of, typed
from cxr.console import keep_going_without_output
from cxr.errors import Mistake, RunFailed
from cxr.experiment import run_experiment
from cxr.progress import Progress
from cxr.recipe import SweepJob
from cxr.sweep.outcome import Kind, Outcome, read_outcomes, time_left
from cxr.sweep.plan import Plan
from cxr.words import duration, printable


def run_job(composed: DictConfig) -> float | None:
    """Hydra's task function: do the job, write down what came of it, and return the objective (none where it failed)."""
    folder, number = job_of(composed)
    plan, recipe, started = Plan.load(folder), recipe_of(composed), time.perf_counter()
    name = plan.name_of(number, recipe.overrides)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a worker that is stopped closes its run as interrupted
    keep_going_without_output()
    progress = Progress(job=f"[{number + 1}/{plan.count}] {name}", bars=plan.at_once == 1)

    found = Outcome(number, name, "failed", overrides=recipe.overrides)
    try:
        job = SweepJob(plan.id, folder, number, name, plan.at_once)
        end = run_experiment(typed(composed), replace(recipe, job=job), progress)
        kind: Kind = "before" if end.was_finished else "finished"
        found = replace(found, kind=kind, run_id=end.run_id, objective=end.metrics.get(plan.metric))
    except Mistake as mistake:
        found = replace(found, kind="mistake", reason=str(mistake))
    except RunFailed as failure:
        found = replace(found, reason=str(failure))
    except Exception as error:
        traceback.print_exc()
        found = replace(found, reason=f"{type(error).__name__}: {error}")
    found = replace(found, seconds=time.perf_counter() - started)
    found.save(folder)
    print(printable(_told(found, plan)), file=sys.stderr, flush=True)
    return found.objective


def _told(outcome: Outcome, plan: Plan) -> str:
    done = read_outcomes(plan.folder)
    width = len(str(plan.count))
    objective = "has no value" if outcome.objective is None else f"{outcome.objective:.4f}"
    said = {
        "finished": f"{plan.metric} {objective}, {duration(outcome.seconds)}",
        "before": f"{plan.metric} {objective}, finished before",
        "mistake": f"REFUSED, {outcome.reason}",
        "failed": f"FAILED, {outcome.reason}",
    }[outcome.kind]
    left = time_left(done, plan.count, plan.at_once)
    ahead = f"; {plan.count - len(done)} to go" if len(done) < plan.count else ""
    if ahead and left is not None:
        ahead += f", about {duration(left)}"
    return f"[{len(done):>{width}}/{plan.count}] {outcome.name}: {' '.join(said.split())}{ahead}"
