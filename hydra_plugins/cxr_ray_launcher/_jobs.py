"""The jobs of a sweep as tasks of a Ray cluster: a new worker for each, elsewhere again where a worker or a machine died."""

import sys
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import ray
from hydra.core.utils import JobReturn
from ray.exceptions import RayError, RayTaskError

from cxr.config.launched import LaunchedJob, returned
from cxr.config.launchers import RayConfig
from cxr.sweep.job import RemoteJob, print_end
from cxr.sweep.outcome import Outcome, read_outcomes
from cxr.sweep.plan import Plan
from cxr.text import printable

_GRACE = 30  # seconds that jobs have to close their runs after an interrupt


class Jobs:
    """The jobs of one sweep."""

    def __init__(self, wanted: RayConfig, work: LaunchedJob, overrides: Sequence[Sequence[str]], first: int) -> None:
        assert isinstance(work.task, RemoteJob)
        self.wanted, self.planned, self._work = wanted, work.task.planned, work
        self._overrides = {number: list(job) for number, job in enumerate(overrides, first)}
        self._tries: Counter[int] = Counter()
        self._objectives: dict[int, float | None] = {}

    def run(self, places: int) -> list[JobReturn]:
        """Run them on a cluster that has room for `places` at once. Prints a line when one ends."""
        plan = Plan.load(self.planned.folder)
        self._objectives = {outcome.number: outcome.objective for outcome in read_outcomes(plan.folder)}  # done before
        at_once = min(self.wanted.max_concurrent or len(self._overrides), len(self._overrides))
        plan = replace(plan, at_once=min(at_once, places))
        plan.save()  # for the time that is left
        waiting = deque(number for number in self._overrides if number not in self._objectives)
        work, running = ray.put(self._work), dict[Any, int]()
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    number = waiting.popleft()
                    running[self._start(work, number)] = number
                ended, _ = ray.wait(list(running), num_returns=1, timeout=1)
                for reference in ended:
                    number = running.pop(reference)
                    if not self._is_done(reference, number, plan):
                        waiting.appendleft(number)
                        continue
                    outcomes = read_outcomes(plan.folder)
                    for outcome in outcomes:  # it is not there if the sweep stops after a failure
                        if outcome.number == number:
                            print_end(outcome, plan, outcomes)
        except KeyboardInterrupt:
            _interrupt(list(running))
            raise
        return [returned(overrides, self._objectives[number]) for number, overrides in self._overrides.items()]

    def _start(self, work: Any, number: int) -> Any:
        self._tries[number] += 1
        needs: dict[str, Any] = {"num_cpus": self.wanted.num_cpus, "num_gpus": self.wanted.num_gpus}
        if self.wanted.memory:
            needs["memory"] = int(self.wanted.memory)
        # A new worker for each job, since TensorFlow keeps threads, GPU and memory of the one before. Tries are counted here.
        return ray.remote(max_calls=1, max_retries=0, **needs)(_do).remote(work, number, self._overrides[number])

    def _is_done(self, reference: Any, number: int, plan: Plan) -> bool:
        """Keep what a job returned; False if it has to start again."""
        try:
            self._objectives[number] = ray.get(reference)
        except RayTaskError as error:  # before the job began: a machine that does not fit, or a fault
            self._fail(number, plan, " ".join(str(error.cause).split()))
        except RayError as error:  # its worker or its machine is gone
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
            if self._tries[number] <= self.wanted.retries:
                lost = f"cxr: {plan.name_of(number, self._overrides[number])} lost its worker ({reason})"
                print(printable(f"{lost}: it starts again from its last epoch"), file=sys.stderr, flush=True)
                return False
            self._fail(number, plan, f"its worker was lost {self._tries[number]} times, at last by {reason}")
        return True

    def _fail(self, number: int, plan: Plan, reason: str) -> None:
        overrides = tuple(self._overrides[number])
        Outcome(number, plan.name_of(number, overrides), "failed", reason=reason, overrides=overrides).save(plan.folder)
        self._objectives[number] = None


def _interrupt(running: Sequence[Any]) -> None:
    """Let jobs close their runs as interrupted, and end those that do not."""
    for reference in running:
        ray.cancel(reference, force=False)
    with suppress(RayError, KeyboardInterrupt):
        ray.wait(list(running), num_returns=len(running), timeout=_GRACE)
    for reference in running:
        ray.cancel(reference, force=True)


def _do(work: LaunchedJob, number: int, overrides: list[str]) -> float | None:
    """In a worker: the job."""
    return work.do(number, overrides)
