"""The verdict on two runs: each metric then and now, and the largest difference in any probability."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from cxr.compare.runs import name_with_id, read_evaluated_run, read_results
from cxr.errors import UserError
from cxr.evaluation.predictions import Predictions
from cxr.tracking.logged_run import LoggedRun

Kind = Literal["identical", "equal", "different"]


@dataclass(frozen=True)
class Agreement:
    """How a run compares with the one that it does again."""

    kind: Kind
    largest: float  # difference in any probability of any image; inf where the images are not the same
    metrics: list[tuple[str, float, float]]  # name, then, now

    @property
    def text(self) -> str:
        """One line."""
        if self.kind == "identical":
            return "identical to the bit: every probability of every image is the same"
        if self.largest == float("inf"):
            return "different: not every image has its probabilities in both runs"
        if self.kind == "equal":
            return f"equal within the tolerance: no probability differs by more than {self.largest:.2g}"
        return f"different: the largest difference in any probability is {self.largest:.2g}"


def compare_again(then: LoggedRun, now: LoggedRun, tolerance: float) -> Agreement:
    """Compare what two finished runs logged."""
    results, again = read_results(then), read_results(now)
    metrics = [
        (f"{part}/{name}", value, again[part].metrics.get(name, np.nan) if part in again else np.nan)
        for part, result in results.items()
        for name, value in result.metrics.items()
    ]
    if set(results) != set(again):
        return Agreement("different", float("inf"), metrics)
    return agreement_of([(results[part].predictions, again[part].predictions) for part in results], metrics, tolerance)


def agreement_of(
    pairs: list[tuple[Predictions, Predictions]], metrics: list[tuple[str, float, float]], tolerance: float
) -> Agreement:
    """The verdict on predictions of then and now, part by part."""
    largest, identical = 0.0, True
    for first, second in pairs:
        if first.ids != second.ids or first.classes != second.classes:
            return Agreement("different", float("inf"), metrics)
        if np.array_equal(first.probabilities, second.probabilities, equal_nan=True):
            continue
        identical = False
        largest = max(largest, float(np.nan_to_num(np.abs(first.probabilities - second.probabilities), nan=np.inf).max()))
    kind: Kind = "identical" if identical else "equal" if largest <= tolerance else "different"
    return Agreement(kind, largest, metrics)


def check_finished(run: LoggedRun) -> None:
    """Raise `UserError` for a run that has no results to be compared with."""
    read_evaluated_run(run)
    if "cxr.config_fingerprint" not in run.tags:
        raise UserError(f"run {name_with_id(run)} was not made by cxr")
