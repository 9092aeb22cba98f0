"""Operating points: rules that call an image positive or not, chosen on validation and evaluated on other images."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from cxr.evaluation.bias_correction import corrected, fit_bias_correction
from cxr.evaluation.effective_size import independent_images, members_among
from cxr.evaluation.estimates import (
    LOG,
    PERCENT,
    Estimate,
    Z,
    four_rates,
    lacking,
    no_image_of,
    proportion_among,
    wilson_interval,
    with_interval,
)
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.resampling import resampled
from cxr.text import pluralize

OPTIMISTIC = "Optimistic, since these images chose it. "


class Outcome(StrEnum):
    """Whether a target was met (the rate is at or above it) and demonstrated (its whole interval is)."""

    DEMONSTRATED = "Target demonstrated"
    NOT_DEMONSTRATED = "Target met but not demonstrated"
    NOT_MET = "Target not met"
    UNKNOWN = "Target can't be evaluated"
    NO_TARGET = "No target"


@dataclass(frozen=True)
class Rates:
    """How a rule sorts images of the positive class from the others."""

    images: int
    called_positive: int
    sensitivity: Estimate
    specificity: Estimate
    ppv: Estimate
    npv: Estimate


@dataclass(frozen=True)
class Rule:
    """One way to decide: `threshold` on the probability of the positive class; or the class of least expected cost, or argmax.

    `costs` (classes, classes) are used after division of the logits by `temperature` and addition of `shifts`, of each class one;
    all of these only without a threshold.
    """

    name: str  # argmax, sensitivity_target, specificity_target, least_cost or calibrated
    in_words: str
    aim: str = ""  # the rate that is to reach the target: sensitivity, specificity or none
    target: float | None = None
    threshold: float | None = None
    costs: list[list[float]] | None = None
    temperature: float = 1.0
    shifts: list[float] | None = None


@dataclass(frozen=True)
class OperatingPoint:
    """A rule, its rates on validation and on the evaluated images, and a sentence on the outcome; `outcome` is what code tests."""

    rule: Rule
    on_validation: Rates
    evaluated: Rates
    cost_per_image: Estimate  # on the evaluated images
    verdict: str

    @property
    def outcome(self) -> Outcome:
        """Whether the target of the rule was met and demonstrated on the evaluated images."""
        return outcome_of(self.rule, self.evaluated)


def choose_rules(
    validation: Predictions,
    positive_class: int,
    sensitivity: float,
    specificity: float,
    costs: NDArray[np.float32],
    temperature: float,
    margin: bool = False,
    groups: Sequence[str] | None = None,
) -> list[Rule]:
    """The five rules, from validation predictions alone.

    A threshold for sensitivity is the highest that reaches the target on validation, one for specificity the lowest. With `margin`
    the lower bound of the sensitivity on validation has to reach it, so that other images are more likely to.

    Args:
        costs: (classes, classes), of each true and predicted class.
        groups: the group of each validation image.
    """
    scores, positive = validation.probabilities[:, positive_class], validation.labels == positive_class
    name = validation.classes[positive_class]
    rules = [Rule("argmax", "the most probable class")]
    if positive.any():
        threshold, description = _sensitive(scores, positive, sensitivity, margin, groups)
        description = f"{name} from {threshold:.4f} on, {description}"
        rules.append(Rule("sensitivity_target", description, "sensitivity", sensitivity, threshold))
    if not positive.all():
        threshold = threshold_for_specificity(scores, positive, specificity)
        description = f"{name} from {threshold:.4f} on, the lowest threshold that has specificity {specificity:g} on validation"
        rules.append(Rule("specificity_target", description, "specificity", specificity, threshold))
    description = f"the class of least expected cost (Elkan 2001), after temperature {temperature:.2f}"
    rules.append(Rule("least_cost", description, costs=[[float(cost) for cost in row] for row in costs], temperature=temperature))
    return [*rules, _calibrated(validation, groups)]


def _calibrated(validation: Predictions, groups: Sequence[str] | None) -> Rule:
    """The most probable class after bias correction."""
    fitted = fit_bias_correction(validation, groups)
    moved = ", ".join(f"{name} {shift:+.2f}" for name, shift in zip(validation.classes, fitted.shifts, strict=True))
    words = f"not shifted: {fitted.why_not}" if fitted.why_not else f"shifted by {moved}"
    all_alike = (1 - np.eye(len(validation.classes))).tolist()
    return Rule("calibrated", words, costs=all_alike, temperature=fitted.temperature, shifts=list(fitted.shifts))


def _sensitive(
    scores: NDArray[np.float64], positive: NDArray[np.bool_], target: float, margin: bool, groups: Sequence[str] | None
) -> tuple[float, str]:
    """The threshold for sensitivity, and a description of how it was chosen."""
    threshold = threshold_for_sensitivity(scores, positive, target)
    if not margin:
        return threshold, f"the highest threshold that has sensitivity {target:g} on validation"
    for lower in sorted(set(scores[positive & (scores <= threshold)]), reverse=True):
        if (proportion_among(scores >= lower, positive, groups, "").low or 0.0) >= target:
            return float(lower), f"the highest threshold whose sensitivity on validation has a {PERCENT} lower bound of {target:g}"
    unit = "images" if independent_images(members_among(groups, positive)) == positive.sum() else "groups (patients or copies)"
    return float(scores[positive].min()), (
        f"the highest threshold that finds all {positive.sum():,} of validation, as a lower bound of {target:g} needs "
        f"{images_needed(target):,} {unit}"
    )


def threshold_for_sensitivity(scores: NDArray[np.float64], positive: NDArray[np.bool_], target: float) -> float:
    """The highest threshold that at least `target` of the positives reach.

    Args:
        scores, positive: (n,).
    """
    ordered = np.sort(scores[positive])[::-1]
    return float(ordered[max(1, math.ceil(target * len(ordered) - 1e-9)) - 1])


def threshold_for_specificity(scores: NDArray[np.float64], positive: NDArray[np.bool_], target: float) -> float:
    """The lowest threshold that at least `target` of the negatives stay below; above all their scores if necessary.

    Args:
        scores, positive: (n,).
    """
    ordered = np.sort(scores[~positive])[::-1]
    allowed = math.floor((1 - target) * len(ordered) + 1e-9)
    return 0.0 if allowed >= len(ordered) else float(np.nextafter(ordered[allowed], np.inf))


def decisions(rule: Rule, predictions: Predictions, positive_class: int) -> NDArray[np.int64]:
    """The class that a rule gives each image, (n,); below a threshold it is the most probable other class."""
    if rule.threshold is not None:
        others = predictions.probabilities.copy()
        others[:, positive_class] = -1
        return np.where(predictions.probabilities[:, positive_class] >= rule.threshold, positive_class, others.argmax(axis=1))
    if rule.costs is not None:
        shifts = tuple(rule.shifts or [0.0] * len(predictions.classes))
        expected = corrected(predictions.probabilities, rule.temperature, shifts) @ np.array(rule.costs)
        return np.asarray(expected.argmin(axis=1), np.int64)
    return predictions.predicted


def rates(called: NDArray[np.bool_], positive: NDArray[np.bool_], groups: Sequence[str] | None = None) -> Rates:
    """Count what was called positive against what is.

    Args:
        called, positive: (n,).
        groups: (n,); images of a group count as alike.
    """
    return Rates(len(called), int(called.sum()), **four_rates(called, positive, groups, "the positive class", "positive"))


def evaluate_rules(
    rules: Sequence[Rule],
    validation: Predictions,
    evaluated: Predictions,
    positive_class: int,
    costs: NDArray[np.float32],
    groups: Sequence[str],
    resamples: int,
    validation_groups: Sequence[str] | None = None,
) -> list[OperatingPoint]:
    """The rates of each rule on the evaluated images.

    Without an image of the positive class all rates are missing: what is called positive is counted alone.

    Args:
        costs: (classes, classes), of each true and predicted class.
        groups: the group of each evaluated image.
    """
    chosen = np.stack([decisions(rule, evaluated, positive_class) for rule in rules])
    spent = costs[evaluated.labels, chosen].astype(np.float64)  # (rules, n)
    drawn = resampled(lambda weights: spent @ weights.T / weights.sum(axis=1), groups, resamples, seed=0)
    positive, name, points = evaluated.labels == positive_class, evaluated.classes[positive_class], []
    for rule, decided, cost, draws in zip(rules, chosen, spent, drawn, strict=True):
        on_evaluated = rates(decided == positive_class, positive, groups)
        if not positive.any():
            none = lacking(no_image_of(name))
            on_evaluated = Rates(on_evaluated.images, on_evaluated.called_positive, none, none, none, none)
        called = decisions(rule, validation, positive_class) == positive_class
        on_validation = rates(called, validation.labels == positive_class, validation_groups)
        mean = with_interval(Estimate(float(cost.mean())), draws, LOG)
        same = OPTIMISTIC if validation is evaluated and rule.target is not None else ""
        members = members_among(groups, positive if rule.aim == "sensitivity" else ~positive)
        verdict = same + _verdict(rule, on_evaluated, members, name)
        points.append(OperatingPoint(rule, on_validation, on_evaluated, mean, verdict))
    return points


def right_needed(target: float, images: int) -> int | None:
    """How many of `images` have to be right for a Wilson interval at or above a target; None if even all are too few.

    >>> right_needed(0.95, 724), right_needed(0.95, 40)
    (700, None)
    """
    enough = bisect_left(range(images + 1), target, key=lambda count: wilson_interval(count, images)[0])
    return None if enough > images else enough


def images_needed(target: float) -> int:
    """The fewest images that can demonstrate a target, all of them right: Wilson's lower bound of n of n is n / (n + z^2).

    >>> images_needed(0.95), images_needed(0.99)
    (73, 381)
    """
    return math.ceil(target * Z**2 / (1 - target) - 1e-9)


def _rate(rule: Rule, evaluated: Rates) -> Estimate:
    """The rate that is to reach the target of a rule."""
    return evaluated.sensitivity if rule.aim == "sensitivity" else evaluated.specificity


def outcome_of(rule: Rule, evaluated: Rates) -> Outcome:
    """Whether the target of a rule was met and demonstrated."""
    rate = _rate(rule, evaluated)
    if rule.target is None:
        return Outcome.NO_TARGET
    if rate.value is None or rate.low is None:
        return Outcome.UNKNOWN
    if rate.low >= rule.target:
        return Outcome.DEMONSTRATED
    return Outcome.NOT_MET if rate.value < rule.target else Outcome.NOT_DEMONSTRATED


def _verdict(rule: Rule, evaluated: Rates, members: NDArray[np.int64], positive: str) -> str:
    """A sentence about the outcome, and what would demonstrate the target; `members` are the groups of the images that count."""
    outcome, rate = outcome_of(rule, evaluated), _rate(rule, evaluated)
    if rule.target is None:
        return f"{outcome}: this rule follows from the probabilities."
    if evaluated.sensitivity.value is None:
        called = f"{evaluated.called_positive:,} of {pluralize(evaluated.images, 'image')} of other classes"
        return f"{no_image_of(positive)}; {called} are called {positive}."
    if rate.value is None or rate.of is None or rate.count is None:
        return f"{outcome}: {rate.why_not}."
    seen = f"{outcome}: {rule.aim} {rate.value:.3f} ({rate.low:.3f} to {rate.high:.3f}) for a target of {rule.target:g}"
    if outcome is Outcome.DEMONSTRATED:
        return f"{seen}; the whole interval is at or above it."
    images, done = (f"{positive} images", "found") if rule.aim == "sensitivity" else ("images of other classes", "ruled out")
    alike, unit, needed = independent_images(members), "", right_needed(rule.target, rate.of)
    if alike != rate.of:
        count = len(np.unique(members))
        images, unit = f"{images} of {pluralize(count, 'group')} (patients or copies)", " groups"
        needed = rate.count + 1 if wilson_interval(alike, alike)[0] >= rule.target else None
    if needed is None:
        could = f"With {rate.of:,} {images} even {rate.of:,} of {rate.of:,} could not demonstrate {rule.target:g}: at least "
        could += f"{images_needed(rule.target):,}{unit} are needed, all {done}."
    else:
        could = f"To demonstrate it with {rate.of:,} {images}, {'at least ' if unit else ''}{needed:,} must be {done}; "
        could += f"{rate.count:,} were."
    return f"{seen}. {could}"
