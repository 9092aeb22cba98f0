"""Decision curve: the net benefit of acting on the model, compared with acting on everyone or no one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit by threshold probability, in true positives an image; that of treating nobody is 0."""

    prevalence: float
    thresholds: list[float]
    model: list[float]
    treat_all: list[float]


def decision_curve(positive: NDArray[np.bool_], probabilities: NDArray[np.float64]) -> DecisionCurve:
    """Net benefit of acting on the positive class at each threshold from 0.01 to 0.99 (Vickers and Elkin 2006).

    True positives less false ones weighed by the odds of the threshold, over all images; `probabilities` (n,) are calibrated.
    """
    thresholds = np.arange(1, 100) / 100
    called = probabilities[None] >= thresholds[:, None]
    hits, alarms = (called & positive).mean(axis=1), (called & ~positive).mean(axis=1)
    odds, prevalence = thresholds / (1 - thresholds), float(positive.mean())
    return DecisionCurve(
        prevalence=prevalence,
        thresholds=thresholds.tolist(),
        model=(hits - alarms * odds).tolist(),
        treat_all=(prevalence - (1 - prevalence) * odds).tolist(),
    )
