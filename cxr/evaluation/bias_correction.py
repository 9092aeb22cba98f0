"""Bias-corrected temperature scaling: a shift of each class and a temperature, fitted on validation, for an unbiased argmax."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from cxr.evaluation.predictions import Predictions
from cxr.evaluation.resampling import cross_fitting_folds

_LARGEST = 5.0  # of a shift, in logits: beyond it these images do not determine one
_TEMPERATURES = (np.log(0.05), np.log(20.0))


@dataclass(frozen=True)
class BiasCorrection:
    """The divisor of the logits, and what is added to that of each class then; 1 and 0 where none helps, with the reason."""

    temperature: float
    shifts: tuple[float, ...]  # (classes,), of sum 0
    fitted_on: int  # images
    why_not: str = ""


def fit_bias_correction(predictions: Predictions, groups: Sequence[str] | None = None) -> BiasCorrection:
    """The temperature and shifts that make these labels most likely.

    Training with class weights, costs or a rate that stays high may leave a good ranking with an argmax that prefers a class;
    shifts undo that. They stay 0 where they would not lower the log loss of validation images they were not fitted on (10-fold
    cross-fitting; images of one of the `groups` (n,) are in one fold), and where every prediction is right.

    Source:
        Alexandari et al., "Maximum likelihood with bias-corrected calibration is hard-to-beat at label shift adaptation", 2020.
    """
    count, classes = len(predictions.labels), len(predictions.classes)
    logits = np.log(np.clip(predictions.probabilities, np.finfo(float).eps, 1))
    none = (0.0,) * classes
    if (predictions.predicted == predictions.labels).all():
        return BiasCorrection(1.0, none, count, "all validation images are right")
    with_class = set(zip(predictions.labels.tolist(), range(count) if groups is None else groups, strict=True))
    if np.bincount([label for label, _ in with_class], minlength=classes).min() < 2:
        return BiasCorrection(1.0, none, count, "a class has fewer than two validation images of different groups")
    before, after = _losses(logits, predictions.labels), np.empty(count)
    for others, fold in cross_fitting_folds(count, groups):
        temperature, shifts = _most_likely(logits[others], predictions.labels[others])
        after[fold] = _losses(logits[fold] / temperature + shifts, predictions.labels[fold])
    if after.mean() >= before.mean():
        changed = f"{after.mean():.4f} instead of {before.mean():.4f}"
        why_not = f"on validation images that it was not fitted on it makes log loss {changed}"
        return BiasCorrection(1.0, none, count, why_not)
    temperature, shifts = _most_likely(logits, predictions.labels)
    # Rounded, as the order of the images changes the last digits.
    return BiasCorrection(round(temperature, 6), tuple(round(float(shift), 6) for shift in shifts), count)


def corrected(probabilities: NDArray[np.float64], temperature: float, shifts: tuple[float, ...]) -> NDArray[np.float64]:
    """Probabilities (n, classes) with logits divided by a temperature and shifted.

    Args:
        probabilities: (n, classes).

    >>> corrected(np.array([[0.5, 0.5]]), 1.0, (1.0, -1.0)).round(2).tolist()
    [[0.88, 0.12]]
    """
    logits = np.log(np.clip(probabilities, np.finfo(float).eps, 1)) / temperature + np.array(shifts)
    return np.asarray(np.exp(log_softmax(logits, axis=1)))


def _most_likely(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[float, NDArray[np.float64]]:
    """Temperature and shifts of least log loss. That is convex in 1 / temperature and the shifts, so there is one best."""
    truth = np.eye(logits.shape[1])[labels]

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        scale, shifts = values[0], values[1:]
        log_p = log_softmax(logits * scale + shifts, axis=1)
        error = np.exp(log_p) - truth
        slope = np.concatenate([[float((error * logits).sum(axis=1).mean())], error.mean(axis=0)])
        return float(-(truth * log_p).sum(axis=1).mean()), slope

    scales = tuple(float(np.exp(-end)) for end in _TEMPERATURES[::-1])
    bounds = [scales, *[(-_LARGEST, _LARGEST)] * logits.shape[1]]
    best = minimize(loss, np.concatenate([[1.0], np.zeros(logits.shape[1])]), jac=True, bounds=bounds, method="L-BFGS-B").x
    return float(1 / best[0]), np.asarray(best[1:] - best[1:].mean())


def _losses(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(-log_softmax(logits, axis=1)[np.arange(len(labels)), labels])
