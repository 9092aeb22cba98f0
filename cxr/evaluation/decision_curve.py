"""Decision curve: the net benefit of acting on the model, compared with acting on everyone or no one."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr.evaluation.effective_size import numbered
from cxr.evaluation.estimates import Z


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit by threshold probability, in true positives an image; that of treating nobody is 0.

    It holds at the `prevalence` of these images. `low` and `high` are the ends of the 95 % interval of `model` at each threshold.
    """

    prevalence: float
    thresholds: list[float]
    model: list[float]
    low: list[float]
    high: list[float]
    treat_all: list[float]


def decision_curve(positive: NDArray[np.bool_], probabilities: NDArray[np.float64], groups: Sequence[str]) -> DecisionCurve:
    """Net benefit of acting on the positive class at each threshold from 0.01 to 0.99.

    True positives less false ones weighed by the odds of the threshold, over all images. It is a mean over images, so its interval
    comes from their standard error.

    Args:
        positive: (n,).
        probabilities: (n,), calibrated.
        groups: (n,); images of a group count as alike.

    Source:
        Vickers and Elkin, "Decision curve analysis", 2006.
    """
    thresholds = np.arange(1, 100) / 100
    odds, prevalence = thresholds / (1 - thresholds), float(positive.mean())
    called = probabilities[None] >= thresholds[:, None]
    of_image = np.where(positive, 1.0, -odds[:, None]) * called  # (thresholds, n)
    model = of_image.mean(axis=1)
    members = numbered(groups)
    together = np.stack([np.bincount(members, row) for row in of_image - model[:, None]])
    half = Z * np.sqrt((together**2).sum(axis=1)) / len(positive)
    return DecisionCurve(
        prevalence=prevalence,
        thresholds=thresholds.tolist(),
        model=model.tolist(),
        low=(model - half).tolist(),
        high=(model + half).tolist(),
        treat_all=(prevalence - (1 - prevalence) * odds).tolist(),
    )
