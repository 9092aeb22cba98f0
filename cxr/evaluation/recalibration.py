"""Calibration of one class's probability: slope and intercept of a logistic recalibration, and a reliability curve."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, logit

from cxr.evaluation.calibration import Bin, expected_error, reliability, usable_bins
from cxr.evaluation.estimates import Estimate, Z, lacking


@dataclass(frozen=True)
class ClassCalibration:
    """How well the probability of one class agrees with how often images are of it.

    `slope` is 1 and `intercept` 0 if it is well calibrated. A slope below 1 means probabilities that are too extreme. An
    intercept above 0 means probabilities that are too low on the whole. `ece` is the expected calibration error of the `bins`.
    """

    slope: Estimate
    intercept: Estimate
    ece: float
    bins: list[Bin]


def class_calibration(probabilities: NDArray[np.float64], of_class: NDArray[np.bool_], bins: int) -> ClassCalibration:
    """Calibration of the probabilities of one class.

    Args:
        probabilities: (n,), of the class.
        of_class: (n,), which images are of it.
    """
    curve = reliability(probabilities, of_class, usable_bins(bins, len(of_class)))
    slope, intercept = recalibration(probabilities, of_class)
    return ClassCalibration(slope, intercept, expected_error(curve), curve)


def recalibration(probabilities: NDArray[np.float64], of_class: NDArray[np.bool_]) -> tuple[Estimate, Estimate]:
    """Slope and intercept of the log odds of the class on those of its probability, with Wald intervals.

    The slope is that of logit(true) = a + b logit(p), the intercept that of logit(true) = a + logit(p).

    Args:
        probabilities: (n,), of the class.
        of_class: (n,), which images are of it.

    Source:
        Cox, "Two further applications of a model for binary regression", 1958; Van Calster et al., "Calibration: the Achilles heel
        of predictive analytics", 2019, levels 1 and 2.
    """
    if of_class.all() or not of_class.any():
        none = lacking("every image is of this class" if of_class.all() else "no image is of this class")
        return none, none
    odds = logit(np.clip(probabilities, 1e-12, 1 - 1e-12))
    if odds[of_class].min() >= odds[~of_class].max() or odds[of_class].max() <= odds[~of_class].min():
        slope = lacking("the probabilities separate the images without error, so no finite slope fits best")
    else:
        slope = _fitted(np.stack([odds, np.ones(len(odds))], axis=1), np.zeros(len(odds)), of_class)
    return slope, _fitted(np.ones((len(odds), 1)), odds, of_class)


def _fitted(design: NDArray[np.float64], offset: NDArray[np.float64], of_class: NDArray[np.bool_]) -> Estimate:
    """The first coefficient of a logistic regression on `design` (n, k) with an `offset` (n,)."""
    truth = of_class.astype(np.float64)

    def loss(beta: NDArray[np.float64]) -> float:
        odds = design @ beta + offset
        return float((np.logaddexp(0, odds) - truth * odds).sum())

    def gradient(beta: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(design.T @ (expit(design @ beta + offset) - truth))

    def hessian(beta: NDArray[np.float64]) -> NDArray[np.float64]:
        p = expit(design @ beta + offset)
        return np.asarray((design * (p * (1 - p))[:, None]).T @ design)

    fit = minimize(loss, np.zeros(design.shape[1]), jac=gradient, hess=hessian, method="trust-exact")
    variance = np.linalg.pinv(hessian(fit.x))[0, 0]
    value, half = float(fit.x[0]), Z * float(np.sqrt(variance))
    return Estimate(value, value - half, value + half)
