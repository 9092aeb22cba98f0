"""The jobs of a sweep as an array of SLURM: queued by submitit, and waited for by their outcomes in the sweep's folder."""

import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import submitit
from hydra.core.utils import JobReturn

from cxr.config.launched import LaunchedJob, returned
from cxr.config.launchers import SlurmConfig
from cxr.errors import UserError
from cxr.sweep.job import RemoteJob, print_end
from cxr.sweep.outcome import Outcome, read_outcomes
from cxr.sweep.plan import Plan
from cxr.text import pluralize

LOGS = "slurm"  # in the sweep's folder: what jobs print
_EVERY = 5  # seconds between two looks
_GRACE = 60  # seconds in which the end of a job becomes visible on a shared disk


@dataclass(frozen=True)
class QueuedJob:
    """What submitit runs for each job."""

    work: LaunchedJob

    def __call__(self, number: int, overrides: list[str]) -> float | None:
        """Do the job."""
        return self.work.do(number, overrides)

    def checkpoint(self, number: int, overrides: list[str]) -> submitit.helpers.DelayedSubmission:
        """Before the time is up, or where it is preempted: the same job again, which resumes after its last epoch."""
        return submitit.helpers.DelayedSubmission(self, number, overrides)


@dataclass(frozen=True)
class Queue:
    """The queued jobs of a sweep."""

    id: str  # of SLURM's array
    folder: Path  # of the sweep
    overrides: dict[int, list[str]]  # of all jobs, by number
    places: dict[int, int]  # in the array, of those that were queued

    @staticmethod
    def submit(wanted: SlurmConfig, work: LaunchedJob, overrides: Sequence[Sequence[str]], first: int) -> "Queue":
        """Queue the jobs.

        Raises:
            UserError: There is no SLURM, or it refuses them.
        """
        assert isinstance(work.task, RemoteJob)
        folder = work.task.planned.folder
        try:
            executor = submitit.SlurmExecutor(folder=folder / LOGS, max_num_timeout=wanted.requeues)
        except RuntimeError as error:
            raise UserError(f"there is no SLURM on this machine ({error}): give the command where sbatch is") from error
        executor.update_parameters(**_of_sbatch(wanted))
        numbered = {number: list(job) for number, job in enumerate(overrides, first)}
        done = {outcome.number for outcome in read_outcomes(folder)}
        open_jobs = [number for number in numbered if number not in done]
        if not open_jobs:
            return Queue("", folder, numbered, {})
        try:
            jobs = executor.map_array(QueuedJob(work), open_jobs, [numbered[number] for number in open_jobs])
        except Exception as error:  # submitit raises errors of its own, with the output of sbatch
            raise UserError(f"SLURM refused the jobs ({' '.join(str(error).split())[-300:]})") from error
        places = {number: place for place, number in enumerate(open_jobs)}
        queue = Queue(jobs[0].job_id.partition("_")[0], folder, numbered, places)
        queued = f"{pluralize(len(jobs), 'job')} queued as SLURM job {queue.id}"
        print(f"cxr: {queued}; their logs: {folder / LOGS}", file=sys.stderr, flush=True)
        return queue

    def left(self) -> list[JobReturn]:
        """What Hydra expects of jobs that nobody waits for."""
        return [returned(overrides, None) for overrides in self.overrides.values()]

    def wait(self) -> list[JobReturn]:
        """Stay until each job has ended or is gone from the queue, and print a line when one ends. An interrupt cancels them."""
        plan, waiting, gone_since = Plan.load(self.folder), dict(self.places), dict[int, float]()
        try:
            while waiting:
                time.sleep(_EVERY)
                outcomes = read_outcomes(self.folder)
                ended = [outcome for outcome in outcomes if outcome.number not in waiting]
                for outcome in (outcome for outcome in outcomes if outcome.number in waiting):
                    ended.append(outcome)
                    waiting.pop(outcome.number)
                    print_end(outcome, plan, ended)
                queued = self._queued()
                for number in [number for number, place in waiting.items() if queued is not None and place not in queued]:
                    if time.monotonic() - gone_since.setdefault(number, time.monotonic()) > _GRACE:
                        self._give_up(number, plan)
                        waiting.pop(number)
        except KeyboardInterrupt:
            with suppress(subprocess.TimeoutExpired):
                subprocess.run(["scancel", self.id], check=False, timeout=_GRACE)
            until = time.monotonic() + _GRACE
            while self._queued() and time.monotonic() < until:
                time.sleep(1)
            raise
        objectives = {outcome.number: outcome.objective for outcome in read_outcomes(self.folder)}
        return [returned(overrides, objectives.get(number)) for number, overrides in self.overrides.items()]

    def _queued(self) -> set[int] | None:
        """Places in the array that wait or run; None where SLURM does not answer."""
        command = ["squeue", "--noheader", "--array", "--jobs", self.id, "--format=%K"]
        try:
            listing = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        if listing.returncode and "Invalid job id" not in listing.stderr:
            return None
        return {int(word) for word in listing.stdout.split() if word.isdigit()}

    def _give_up(self, number: int, plan: Plan) -> None:
        """Record a job that has left the queue without an outcome: it was cancelled or killed."""
        if plan.stops and any(outcome.is_bad for outcome in read_outcomes(self.folder)):
            return  # it was not started
        overrides = tuple(self.overrides[number])
        reason = f"it left SLURM's queue without a result: its log is in {self.folder / LOGS}"
        Outcome(number, plan.name_of(number, overrides), "failed", reason=reason, overrides=overrides).save(self.folder)


def _of_sbatch(wanted: SlurmConfig) -> dict[str, object]:
    """Settings by submitit's names for them."""
    memory = None if wanted.mem_gb is None else f"{round(wanted.mem_gb * 1000)}M"
    settings = {
        "job_name": "cxr",
        "time": wanted.timeout_min,
        "signal_delay_s": wanted.signal_delay_s,
        "array_parallelism": wanted.array_parallelism,
        "cpus_per_task": wanted.cpus_per_task,
        "gpus_per_node": wanted.gpus_per_node,
        "mem": memory,
        "partition": wanted.partition,
        "account": wanted.account,
        "qos": wanted.qos,
        "constraint": wanted.constraint,
        "setup": list(wanted.setup) or None,
        "additional_parameters": {"requeue": True, **wanted.additional_parameters},
    }
    return {name: value for name, value in settings.items() if value is not None}
