"""A sweep from its plan to its results."""

import logging
import sys
from collections.abc import Sequence
from contextlib import nullcontext, suppress
from dataclasses import replace
from importlib import import_module
from itertools import groupby

from filelock import FileLock, Timeout

from cxr.config.compose import add_override, compose, compose_and_call, typed
from cxr.config.provenance import Provenance
from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.progress import Progress
from cxr.run.fit.groups import groups_of_heads, why_alone
from cxr.run.identity.reasons import is_worth_saying, reasons_of, stages_of
from cxr.run.identity.remaining import Remaining, remaining
from cxr.run.prepared import PreparedRun, prepare
from cxr.run.start import run_experiment
from cxr.sweep.job import RemoteJob, run_job, run_prepared_job
from cxr.sweep.node import LOCK, Planned
from cxr.sweep.outcome import Outcome, forget_outcomes, read_outcomes
from cxr.sweep.plan import Plan, named
from cxr.sweep.reports import BackgroundReports
from cxr.sweep.results import show_results
from cxr.text import as_called, pluralize, printable
from cxr.tracking.outbox import command_to_send, deliver_kept, is_lost_connection
from cxr.tracking.store import Store, check_experiment, check_store, locate_store, open_store
from cxr.tracking.unfinished import close_cut_off_runs
from cxr.training.devices import check_memory, visible_gpus
from cxr.training.runtime import prepare_tensorflow

LISTED = 60  # jobs that are named before they run


def run_sweep(plan: Plan, common: Config, jobs: Sequence[tuple[Config, Provenance]]) -> int:
    """Run this process' arguments as the sweep that was planned.

    Returns:
        The exit code: 1 a job failed, 2 one was rejected, else 0.

    Raises:
        UserError: The data of a job is wrong; none has run.
    """
    store = locate_store(common.tracking, common.work)
    check_store(store)
    check_experiment(store, common.tracking.experiment)
    check_memory(visible_gpus() if plan.sharing > 1 else [], plan.sharing)
    plan, prepared_jobs = look_ahead(plan, common, jobs, store)
    open_store(store)
    deliver_kept(store)
    close_cut_off_runs(store)
    left = [remaining(prepared) for prepared in prepared_jobs]
    plan.save()
    lock = FileLock(plan.folder / LOCK)  # other commands at this sweep see it
    with suppress(Timeout):
        lock.acquire(timeout=0)
        forget_outcomes(plan.folder)
    try:
        return _run(plan, common, store, prepared_jobs, left)
    finally:
        lock.release()


def _run(plan: Plan, common: Config, store: Store, prepared_jobs: Sequence[PreparedRun], left: Sequence[Remaining]) -> int:
    done = {number for number, job in enumerate(left) if job.is_nothing}
    trained = {number for number, job in enumerate(left) if job.trained}
    groups = groups_of_heads(prepared_jobs, done | trained) if plan.is_here else []
    _announce(plan, left, groups, prepared_jobs)
    add_override(f"hydra.sweep.dir='{plan.folder if plan.is_here else plan.folder.resolve()}'")
    if not plan.names:
        import_module("optuna").logging.set_verbosity(logging.WARNING)
    failure: Exception | None = None
    reports = BackgroundReports(store) if plan.is_here and len(done) < plan.count and common.sweep.reports == "all" else None
    try:
        if plan.is_here:
            with reports or nullcontext():
                _train_side_by_side([[prepared_jobs[number] for number in group] for group in groups])
                if plan.by_hydra:
                    compose_and_call(lambda composed: run_job(composed, reports))
                for number, prepared in enumerate(prepared_jobs if not plan.by_hydra else ()):
                    run_prepared_job(plan, number, prepared, reports)
        else:
            _settle(plan, [prepared_jobs[number] for number in sorted(done)])
            compose_and_call(RemoteJob(Planned.here(plan, store, prepared_jobs)))
    except KeyboardInterrupt:
        close_cut_off_runs(store)
        ended = len(read_outcomes(plan.folder))
        print(f"cxr: {ended} of {plan.count} jobs have ended; the same command resumes the sweep", file=sys.stderr)
        raise
    except Exception as error:
        if not (ended := len(read_outcomes(plan.folder)) - len(done)):
            raise
        failure = error if ended + len(done) < plan.count else None  # a search of which every job failed has no best one
    if not plan.waits and len(done) < plan.count:
        print(as_called(f"  cxr sweep status {plan.id}  shows the state of the jobs, cxr sweep results {plan.id}  their results"))
        return 0
    code = _conclude(plan, common, store, failure)
    return 1 if reports and reports.failed else code


def _conclude(plan: Plan, common: Config, store: Store, failure: Exception | None) -> int:
    """Show the results of the jobs. Returns the exit code."""
    outcomes = read_outcomes(plan.folder)
    try:
        close_cut_off_runs(store)
        show_results(plan, outcomes)
    except Exception as error:
        if not (store.is_remote and is_lost_connection(error)):
            raise
        first = command_to_send(store.work)
        print(f"cxr: {store.uri} is lost, so there is no table: run {first}, then this command again", file=sys.stderr)
    if common.sweep.reports == "best":
        _report_best(plan, outcomes)
    if failure is not None:
        print(f"cxr: the sweep was cut short: {' '.join(str(failure).split())[:300]}", file=sys.stderr)
    kinds = {outcome.kind for outcome in outcomes}
    return 1 if "failed" in kinds or len(outcomes) < plan.count else 2 if "rejected" in kinds else 0


def _train_side_by_side(groups: Sequence[Sequence[PreparedRun]]) -> None:
    """Train the heads of each group; where that fails, their jobs train as if there were no groups."""
    if not groups:
        return
    with Progress().stage("start", "Starting TensorFlow"):
        prepare_tensorflow(groups[0][0].config.training)
    from cxr.run.fit.heads import train_heads  # imports Keras

    for number, group in enumerate(groups):
        if number:
            prepare_tensorflow(group[0].config.training)
        try:
            train_heads(group, Progress())
        except Exception as error:  # of TensorFlow or of the disk; each job then reports its own error
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            print(
                printable(f"cxr: training side by side failed ({reason}): each job trains on its own"), file=sys.stderr, flush=True
            )


def _settle(plan: Plan, finished: Sequence[PreparedRun]) -> None:
    """Write the outcomes of jobs that earlier runs have done: launchers start no process for them."""
    for prepared in finished:
        job = prepared.provenance.job
        assert job is not None
        end = run_experiment(prepared.config, prepared.provenance, Progress(job=job.name, bars=False), prepared=prepared)
        objective, overrides = end.metrics.get(plan.metric), prepared.provenance.overrides
        Outcome(job.number, job.name, "before", run_id=end.run_id, objective=objective, overrides=overrides).save(plan.folder)


def _report_best(plan: Plan, outcomes: Sequence[Outcome]) -> None:
    """Make the report of the best job by the objective; nothing is trained again."""
    known = [outcome for outcome in outcomes if outcome.objective is not None and outcome.run_id]
    if not known:
        return
    sign = 1 if plan.direction == "minimize" else -1
    best = min(known, key=lambda outcome: (sign * (outcome.objective or 0.0), outcome.name))
    composed, provenance = compose([*best.overrides, "sweep.reports=all"])
    print(f"cxr: {best.name} is the best: making its report", file=sys.stderr, flush=True)
    run_experiment(typed(composed), replace(provenance, job=plan.job(best.number, best.name)), Progress(job=best.name))


def look_ahead(
    plan: Plan, common: Config, jobs: Sequence[tuple[Config, Provenance]], store: Store
) -> tuple[Plan, list[PreparedRun]]:
    """The plan with its id, and every job with data and weights checked, and images decoded that processes will share.

    Raises:
        UserError: Jobs name several stores.
    """
    if not plan.names:
        searched = prepare(common, Provenance({}, (), ""), Progress(), store=store)
        return named(plan, common, [searched.inputs.identity()], [plan.search]), []
    of_store = ("tracking.uri", "tracking.offline", "work.dir")
    if several := [key for key in of_store if key in plan.swept]:
        raise UserError(f"a sweep has one store: give {several[0]} one value")
    prepared_jobs = []
    for number, (config, provenance) in enumerate(jobs):
        job = plan.job(number, plan.names[number])
        progress = Progress() if number == 0 else Progress(job=job.name, bars=False)
        prepared_jobs.append(prepare(config, replace(provenance, job=job), progress, store=store))
    plan = named(plan, common, [prepared.inputs.identity() for prepared in prepared_jobs])
    places = [plan.job(number, name) for number, name in enumerate(plan.names)]
    recipes = [replace(prepared.provenance, job=job) for prepared, job in zip(prepared_jobs, places, strict=True)]
    return plan, [replace(prepared, provenance=recipe) for prepared, recipe in zip(prepared_jobs, recipes, strict=True)]


def _announce(plan: Plan, left: Sequence[Remaining], groups: Sequence[Sequence[int]], prepared_jobs: Sequence[PreparedRun]) -> None:
    how = "one after another" if plan.at_once == 1 else f"{'' if plan.sharing > 1 else 'up to '}{plan.at_once} at once"
    how += "" if plan.sharing > 1 or plan.is_here else f" on {plan.launcher.replace('slurm', 'SLURM').replace('ray', 'Ray')}"
    done = {number for number, job in enumerate(left) if job.is_nothing}
    before = f", {len(done)} of them finished before (force=true does them again)" if done else ""
    lines = [f"Sweep {plan.id}: {pluralize(plan.count, 'job')}, {how}{before}, ordered by {plan.metric}"]
    if not plan.names:
        lines.append(f"  a search over {', '.join(plan.swept)}: each job is chosen from the results of earlier jobs")
    for number, name in enumerate(plan.names[:LISTED]):
        lines.append(f"  {number + 1:>{len(str(plan.count))}} {name}{_state(left[number])}")
        if is_worth_saying(left[number]):
            lines += [f"      {reason}" for reason in reasons_of(left[number], prepared_jobs[number].dataset.manifest)]
    if len(plan.names) > LISTED:
        lines.append(f"  ... and {len(plan.names) - LISTED} more")
    lines += [f"  jobs {describe_job_numbers(group)} train their heads side by side" for group in groups]
    alone = set(range(len(prepared_jobs))) - done - {number for group in groups for number in group}
    if groups and alone:
        reasons = sorted({why_alone(prepared_jobs[number]) or "no other job shares all else" for number in alone})
        who = f"job {min(alone) + 1} trains" if len(alone) == 1 else f"jobs {describe_job_numbers(sorted(alone))} train"
        lines.append(f"  {who} alone: {'; '.join(reasons)}")
    print("\n".join(lines), file=sys.stderr, flush=True)


def _state(left: Remaining) -> str:
    if left.is_nothing:
        return "  (finished)"
    return f"  (runs {stages_of(left)})" if left.trained else ""


def describe_job_numbers(numbers: Sequence[int]) -> str:
    """Numbers of jobs from 0 as people count them, with ranges.

    >>> describe_job_numbers([0, 1, 2, 5, 7, 8])
    '1-3, 6, 8-9'
    """
    ranges = [[number + 1 for _, number in pairs] for _, pairs in groupby(enumerate(numbers), lambda pair: pair[1] - pair[0])]
    return ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in ranges)
