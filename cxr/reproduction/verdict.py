"""Whether two runs came to the same: each metric then and now, the largest difference in any probability, and a verdict."""

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np

from cxr.comparison.runs import read_judged
from cxr.errors import Mistake
from cxr.evaluation.predictions import Predictions
from cxr.tracking.search import LoggedRun

Kind = Literal["identical", "equal", "different"]


@dataclass(frozen=True)
class Verdict:
    """How a run compares with the one that it does again."""

    kind: Kind
    largest: float  # difference in any probability of any image; inf where the images are not the same
    metrics: list[tuple[str, float, float]]  # name, then, now

    @property
    def in_words(self) -> str:
        """One line."""
        if self.kind == "identical":
            return "identical to the bit: every probability of every image is the same"
        if self.largest == float("inf"):
            return "different: not every image has its probabilities in both runs"
        if self.kind == "equal":
            return f"equal within the tolerance: no probability differs by more than {self.largest:.2g}"
        return f"different: the largest difference in any probability is {self.largest:.2g}"


def judge_again(then: LoggedRun, now: LoggedRun, tolerance: float) -> Verdict:
    """Compare what two finished runs logged."""
    parts = json.loads(then.file("evaluation/metrics.json").read_text())
    again = json.loads(now.file("evaluation/metrics.json").read_text())
    pairs = [(predictions_of(then, part), predictions_of(now, part)) for part in parts]
    names = [(part, name) for part in parts for name in parts[part]["metrics"]]
    metrics = [
        (f"{part}/{name}", float(parts[part]["metrics"][name]), float(again.get(part, {}).get("metrics", {}).get(name, np.nan)))
        for part, name in names
    ]
    return verdict_on(pairs, metrics, tolerance)


def verdict_on(pairs: list[tuple[Predictions, Predictions]], metrics: list[tuple[str, float, float]], tolerance: float) -> Verdict:
    """The verdict on predictions of then and now, part by part."""
    largest, identical = 0.0, True
    for first, second in pairs:
        if first.ids != second.ids or first.classes != second.classes:
            return Verdict("different", float("inf"), metrics)
        if np.array_equal(first.probabilities, second.probabilities, equal_nan=True):
            continue
        identical = False
        largest = max(largest, float(np.nan_to_num(np.abs(first.probabilities - second.probabilities), nan=np.inf).max()))
    kind: Kind = "identical" if identical else "equal" if largest <= tolerance else "different"
    return Verdict(kind, largest, metrics)


def predictions_of(run: LoggedRun, part: str) -> Predictions:
    """What a run said of a part of the split."""
    document = json.loads(run.file("evaluation/metrics.json").read_text())
    return Predictions.from_csv(run.file(f"predictions/{part}.csv"), tuple(document[part]["classes"]))


def check_finished(run: LoggedRun) -> None:
    """Raise `Mistake` for a run that has no results to be compared with."""
    parts = {"val", read_judged(run).part}
    try:
        if set(json.loads(run.file("evaluation/metrics.json").read_text())) != parts:
            raise ValueError("evaluation/metrics.json is of other parts of the split")
        for part in parts:
            predictions_of(run, part)
    except (ValueError, KeyError, TypeError) as error:
        raise Mistake(f"the results of run {run.name} ({run.short_id}) can't be read: {error}") from None
    if "cxr.config_fingerprint" not in run.tags:
        raise Mistake(f"run {run.name} ({run.short_id}) was not made by cxr")
