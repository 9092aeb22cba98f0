"""Triage in three zones, and its consequences for patients: workload, delayed cases, predictive values by prevalence."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr.evaluation.conformal import conformal_sets
from cxr.evaluation.estimates import Estimate, lacking, proportion_among
from cxr.evaluation.operating_points import OperatingPoint, Rates, Rule
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.roles import Roles

ZONES = ("fast_track", "review", "routine")
PATIENTS = 1000


@dataclass(frozen=True)
class Zone:
    """One zone of the evaluated images: the share of the positive class in it, that of the other classes, and counts by class."""

    name: str
    of_positives: Estimate
    of_others: Estimate
    images: dict[str, int]  # by class name


@dataclass(frozen=True)
class Workload:
    """What `PATIENTS` patients would bring at a prevalence of the positive class, in patients.

    `delayed` are patients of the positive class in the routine zone; `positives_of_fast_track` is the share of the positive class
    in the fast track.
    """

    prevalence: float
    fast_track: Estimate
    review: Estimate
    routine: Estimate
    delayed: Estimate
    positives_of_fast_track: Estimate


@dataclass(frozen=True)
class PredictiveValues:
    """PPV and NPV of a rule at a prevalence of the positive class."""

    rule: str
    prevalence: float
    ppv: Estimate
    npv: Estimate


@dataclass(frozen=True)
class Triage:
    """The zones, and what they come to."""

    positive_class: str
    normal_class: str | None
    every_routine_reviewed: bool
    zones: list[Zone]
    workload: list[Workload]
    predictive_values: list[PredictiveValues]

    @property
    def routine(self) -> Zone:
        """The zone of images that wait."""
        return self.zones[ZONES.index("routine")]

    @property
    def routine_is_empty(self) -> bool:
        """Whether no image waits, so that none is delayed: no sign of safety."""
        return not (self.routine.of_positives.count or self.routine.of_others.count)


def zones_of(
    predictions: Predictions,
    roles: Roles,
    rules: Sequence[Rule],
    set_thresholds: NDArray[np.float64],
    review_routine: bool,
) -> NDArray[np.int64]:
    """The zone of each image, (n,), index into `ZONES`.

    Fast track: the positive class reaches the threshold of the `rules` for specificity. Routine: it is below that for sensitivity,
    the most probable class is the normal class, and no other is in the image's conformal set; never, where `review_routine` asks
    for a second look at every image that is called normal. All others are reviewed.

    Args:
        set_thresholds: (classes,), the least probability of a member of a conformal set.
    """
    at = {rule.name: rule.threshold for rule in rules if rule.threshold is not None}
    fast_from, slow_below = at.get("specificity_target", np.inf), at.get("sensitivity_target", 0.0)
    assert roles.positive_class is not None
    score = predictions.probabilities[:, roles.positive_class]
    zones = np.full(len(score), ZONES.index("review"))
    if roles.normal_class is not None and not review_routine:
        sets = conformal_sets(predictions, set_thresholds)
        alone = sets[:, roles.normal_class] & (sets.sum(axis=1) == 1)
        zones[alone & (predictions.predicted == roles.normal_class) & (score < slow_below)] = ZONES.index("routine")
    zones[score >= fast_from] = ZONES.index("fast_track")
    return zones


def evaluate_triage(
    predictions: Predictions,
    roles: Roles,
    zones: NDArray[np.int64],
    points: Sequence[OperatingPoint],
    prevalences: Sequence[float],
    review_routine: bool,
    groups: Sequence[str] | None = None,
) -> Triage:
    """Count the zones of the evaluated images, and their consequences for patients.

    Args:
        zones: (n,), indices into `ZONES`.
        groups: (n,); images of a group count as alike.
    """
    assert roles.positive_class is not None
    positive = predictions.labels == roles.positive_class
    counted = [
        Zone(
            name,
            proportion_among(zones == index, positive, groups, "no image is of the positive class"),
            proportion_among(zones == index, ~positive, groups, "every image is of the positive class"),
            predictions.only(np.flatnonzero(zones == index)).by_class,
        )
        for index, name in enumerate(ZONES)
    ]
    return Triage(
        positive_class=predictions.classes[roles.positive_class],
        normal_class=None if roles.normal_class is None else predictions.classes[roles.normal_class],
        every_routine_reviewed=review_routine,
        zones=counted,
        workload=[workload(counted, prevalence) for prevalence in prevalences],
        predictive_values=[
            PredictiveValues(point.rule.name, prevalence, *predictive_values(point.evaluated, prevalence))
            for point in points
            for prevalence in prevalences
        ],
    )


def workload(zones: Sequence[Zone], prevalence: float) -> Workload:
    """Expected patients of `PATIENTS`; an interval joins the ends of the two shares it comes from: wider than it need be."""
    fast, review, routine = zones
    sick, well = PATIENTS * prevalence, PATIENTS * (1 - prevalence)
    return Workload(
        prevalence=prevalence,
        fast_track=_sum(sick, fast.of_positives, well, fast.of_others),
        review=_sum(sick, review.of_positives, well, review.of_others),
        routine=_sum(sick, routine.of_positives, well, routine.of_others),
        delayed=_sum(sick, routine.of_positives, 0, routine.of_positives),
        positives_of_fast_track=_ratio(prevalence, fast.of_positives, 1 - prevalence, fast.of_others),
    )


def predictive_values(evaluated: Rates, prevalence: float) -> tuple[Estimate, Estimate]:
    """PPV and NPV by Bayes' rule, as if the images of each class were like those of other places.

    An interval joins the ends of sensitivity's and specificity's, so it is wider than it need be.

    Source:
        Altman and Bland 1994.
    """
    ppv = _ratio(prevalence, evaluated.sensitivity, 1 - prevalence, _flipped(evaluated.specificity))
    return ppv, _ratio(1 - prevalence, evaluated.specificity, prevalence, _flipped(evaluated.sensitivity))


def _flipped(rate: Estimate) -> Estimate:
    """One minus a proportion."""
    return Estimate(1 - rate.known[0], 1 - rate.known[2], 1 - rate.known[1]) if rate.known else rate


def _sum(weight: float, one: Estimate, other_weight: float, other: Estimate) -> Estimate:
    if not one.known or not other.known:
        return lacking((other if one.known else one).why_not)
    (a, a_low, a_high), (b, b_low, b_high) = one.known, other.known
    return Estimate(weight * a + other_weight * b, weight * a_low + other_weight * b_low, weight * a_high + other_weight * b_high)


def _ratio(weight: float, wanted: Estimate, other_weight: float, unwanted: Estimate) -> Estimate:
    """The share of the wanted part; no value if neither part occurs."""
    if not wanted.known or not unwanted.known:
        return lacking((unwanted if wanted.known else wanted).why_not)
    (a, a_low, a_high), (b, b_low, b_high) = wanted.known, unwanted.known
    if weight * a + other_weight * b == 0:
        return lacking("it never happened on these images")

    def share(part: float, rest: float) -> float:
        return weight * part / (weight * part + other_weight * rest)

    return Estimate(share(a, b), share(a_low, b_high), share(a_high, b_low))
