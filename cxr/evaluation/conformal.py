"""Conformal sets: sets of classes that contain the true class at a chosen rate, with thresholds from validation."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr.evaluation.estimates import Estimate, proportion_among
from cxr.evaluation.predictions import Predictions
from cxr.text import slug


@dataclass(frozen=True)
class ConformalSets:
    """Conformal sets of the evaluated images: their coverage and size.

    `thresholds` and `coverage` are by class slug; a threshold is the lowest probability that puts a class into a set, 0 where
    there were too few validation images of it, so that it is in every set; `too_few` names those.
    """

    alpha: float
    thresholds: dict[str, float]
    too_few: list[str]
    coverage: dict[str, Estimate]
    overall: Estimate
    mean_size: float
    of_one: Estimate
    empty: Estimate


def conformal_thresholds(validation: Predictions, alpha: float) -> NDArray[np.float64]:
    """The probability that a class needs to be in a set, (classes,), so that sets lack the true class in `alpha` of cases at most.

    It is the ceil((n + 1)(1 - alpha))-th smallest score of the n images of the class.

    Source:
        Class-conditional split conformal prediction with the score 1 - p: Vovk, "Conditional validity of inductive conformal
        predictors", 2012; Sadinle et al. 2019.
    """
    thresholds = np.zeros(len(validation.classes))
    for index in range(len(thresholds)):
        scores = np.sort(1 - validation.probabilities[validation.labels == index, index])
        place = math.ceil((len(scores) + 1) * (1 - alpha) - 1e-9)
        thresholds[index] = 1 - scores[place - 1] if place <= len(scores) else 0.0
    return thresholds


def conformal_sets(predictions: Predictions, thresholds: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which classes are in the set of each image, (n, classes).

    Args:
        thresholds: (classes,), the least probability of a member.
    """
    return np.asarray(1 - predictions.probabilities <= 1 - thresholds + 1e-12)


def evaluate_sets(
    predictions: Predictions, thresholds: NDArray[np.float64], alpha: float, groups: Sequence[str] | None = None
) -> ConformalSets:
    """Coverage and size on images that did not set the thresholds.

    Args:
        thresholds: (classes,).
        groups: (n,); images of a group count as alike.
    """
    sets = conformal_sets(predictions, thresholds)
    hold = sets[np.arange(len(sets)), predictions.labels]
    sizes, slugs = sets.sum(axis=1), [slug(name) for name in predictions.classes]
    all_images = np.ones(len(sets), bool)

    def share(true: NDArray[np.bool_], among: NDArray[np.bool_] = all_images) -> Estimate:
        return proportion_among(true, among, groups, "no image is of this class")

    return ConformalSets(
        alpha=alpha,
        thresholds={name: float(threshold) for name, threshold in zip(slugs, thresholds, strict=True)},
        too_few=[name for name, threshold in zip(slugs, thresholds, strict=True) if threshold == 0],
        coverage={name: share(hold, predictions.labels == index) for index, name in enumerate(slugs)},
        overall=share(hold),
        mean_size=float(sizes.mean()),
        of_one=share(sizes == 1),
        empty=share(sizes == 0),
    )
