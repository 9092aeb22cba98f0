"""The status of a sweep by the runs in its store: also from a machine that sees neither its folder nor its scheduler."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from cxr.errors import UserError
from cxr.stages.basis import bears_on_result
from cxr.sweep.outcome import Outcome, read_outcomes
from cxr.sweep.plan import PLACE, Plan
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.run import FAILURE
from cxr.tracking.search import filtered_runs, of_sweep

State = Literal["finished", "running", "waiting", "stopped", "rejected"]
STATES: tuple[State, ...] = get_args(State)

_BEST_FIRST: tuple[State, ...] = ("finished", "running", "stopped")
_CONFIG, _REST = "cxr.config_fingerprint", ("cxr.data_fingerprint", "cxr.split_fingerprint", "cxr.code_fingerprint")


@dataclass(frozen=True)
class JobStatus:
    """One job that has begun: its latest run, or the reason why it has none."""

    name: str
    state: State
    run: LoggedRun | None
    reason: str = ""  # why it stopped

    @property
    def seconds(self) -> float | None:
        """What a finished job took; None for others."""
        return sum(self.run.seconds.values()) if self.run and self.run.seconds and self.state == "finished" else None


@dataclass(frozen=True)
class SweepStatus:
    """A sweep: the jobs that have begun, and how many there are in all."""

    jobs: tuple[JobStatus, ...]
    count: int

    def number(self, state: State) -> int:
        """How many jobs are in a state; those that nobody has begun are waiting."""
        return self.count - len(self.jobs) if state == "waiting" else sum(job.state == state for job in self.jobs)

    def seconds_left(self) -> float | None:
        """Seconds that are left, if jobs run side by side as they do now; None before one has finished, or with none running.

        >>> SweepStatus((), 3).seconds_left()
        """
        taken = [job.seconds for job in self.jobs if job.seconds is not None]
        running = self.number("running")
        if not taken or not running:
            return None
        return sum(taken) / len(taken) * (self.number("waiting") + running / 2) / running  # those that run are half-way, on average


def status_of(sweep_id: str, work: Path) -> SweepStatus:
    """From the runs of a sweep, and from its folder where that is here. The store has to be open.

    Raises:
        UserError: Neither knows the sweep.
    """
    folder = work / PLACE / sweep_id
    plan = Plan.load(folder) if (folder / "plan.json").is_file() else None
    runs = filtered_runs(of_sweep(sweep_id))
    if plan is None and not runs:
        raise UserError(f"there is no sweep {sweep_id} in this store or in {work}: --uri names its server, --work its work.dir")
    latest: dict[tuple[str, ...], JobStatus] = {}
    for run in runs:
        state: State = "finished" if run.is_finished else "running" if run.status == "RUNNING" else "stopped"
        job = JobStatus(run.name, state, run, run.tags.get(FAILURE, "interrupted") if state == "stopped" else "")
        key = run.tags.get(_CONFIG, run.id), *(run.tags.get(name, "") for name in _REST)
        if key not in latest or _BEST_FIRST.index(job.state) < _BEST_FIRST.index(latest[key].state):
            latest[key] = job
    jobs = list(latest.values())
    if plan is not None:
        refused = [outcome for outcome in read_outcomes(folder) if outcome.is_bad and outcome.run_id is None]
        names = {job.name for job in jobs}
        jobs += [
            JobStatus(outcome.name, "rejected", None, outcome.reason or "") for outcome in refused if outcome.name not in names
        ]
    count = plan.count if plan else max(int(run.tags.get("cxr.sweep_jobs", 0)) for run in runs)
    return SweepStatus(tuple(sorted(jobs, key=lambda job: job.name)), max(count, len(jobs)))


def plan_and_outcomes(sweep_id: str, work: Path) -> tuple[Plan, list[Outcome]]:
    """The plan of a sweep and the outcomes of its jobs, from its folder, or where that is not here from its runs alone.

    Raises:
        UserError: No job has finished.
    """
    folder = work / PLACE / sweep_id
    if (folder / "plan.json").is_file() and (outcomes := read_outcomes(folder)):
        return Plan.load(folder), outcomes
    status = status_of(sweep_id, work)
    finished = [(job.run, job.seconds or 0.0) for job in status.jobs if job.state == "finished" and job.run is not None]
    runs = [run for run, _ in finished]
    if not runs:
        raise UserError(f"no job of sweep {sweep_id} has finished: cxr sweep status {sweep_id} shows their state")
    swept = _differing(runs)
    metric, direction = runs[0].params["objective.metric"], runs[0].params["objective.direction"]
    names = tuple(run.name for run in runs)
    plan = Plan(sweep_id, status.count, swept, names, 1, metric, direction, work=str(work))
    outcomes = []
    for number, (run, seconds) in enumerate(finished):
        overrides = tuple(f"{key}={run.params.get(key, '')}" for key in swept)
        outcomes.append(Outcome(number, run.name, "finished", seconds, run.id, run.metrics.get(metric), overrides=overrides))
    return plan, outcomes


def _differing(runs: Sequence[LoggedRun]) -> tuple[str, ...]:
    """Settings that bear on the result and differ from run to run; names of options in place of their values where those differ."""
    keys = sorted({key for run in runs for key in run.params})
    differ = [key for key in keys if len({run.params.get(key) for run in runs}) > 1]
    named = [key for key in differ if key.endswith(".name") and not key.startswith("tracking.")]
    groups = {key.partition(".")[0] for key in named}
    return tuple(named + [key for key in differ if bears_on_result(key) and key.partition(".")[0] not in groups])
