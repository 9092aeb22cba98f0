"""Calibration: the agreement of probabilities with frequencies, and temperature scaling fitted on validation."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import rankdata

from cxr.evaluation.estimates import Estimate, proportion
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.resampling import losses, squared_errors
from cxr.text import slug

_COLDEST, _HOTTEST = 0.05, 20.0
_IN_A_BIN = 10  # images at least; with fewer, errors depend more on the bins than on the model


@dataclass(frozen=True)
class Temperature:
    """The divisor of the logits; 1 if nothing could be fitted, with the reason in `why_not`."""

    value: float
    fitted_on: int  # images
    why_not: str = ""


@dataclass(frozen=True)
class Bin:
    """Images of about the same probability: their mean probability, and the share of them with that class."""

    probability: float
    share: Estimate


@dataclass(frozen=True)
class Calibration:
    """How well probabilities are calibrated: 0 is perfect for all of these.

    `ece` is the expected calibration error of the most probable class, `class_ece` that of each class's probability by slug,
    `class_ece_mean` their mean; `brier` and `nll` also fall as predictions get sharper. `bins` are those of `ece`.
    """

    ece: float
    class_ece: dict[str, float]
    class_ece_mean: float
    brier: float
    nll: float
    bins: list[Bin]


def fit_temperature(predictions: Predictions) -> Temperature:
    """The temperature that makes these labels most likely (Guo et al., "On Calibration of Modern Neural Networks", 2017).

    It changes neither the most probable class nor the ranking of classes of an image. Between 0.05 and 20; where
    the images do not determine it, as where every prediction is right, it stays 1.
    """
    count, rows = len(predictions.labels), np.arange(len(predictions.labels))
    if (predictions.predicted == predictions.labels).all():
        return Temperature(1.0, count, "all validation images are right, so the colder the better")
    logits = np.log(np.clip(predictions.probabilities, np.finfo(float).eps, 1))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        return float((logsumexp(scaled, axis=1) - scaled[rows, predictions.labels]).mean())

    ends = np.log([_COLDEST, _HOTTEST])
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-6})
    if min(abs(found.x - ends)) < 0.01:
        return Temperature(1.0, count, "the best one is at the end of the range, so these images do not determine it")
    return Temperature(float(np.exp(found.x)), count)


def scaled(predictions: Predictions, temperature: float) -> Predictions:
    """The same predictions with logits divided by a temperature."""
    logits = np.log(np.clip(predictions.probabilities, np.finfo(float).eps, 1)) / temperature
    probabilities = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
    return Predictions(predictions.ids, predictions.classes, predictions.labels, probabilities)


def calibration(predictions: Predictions, bins: int) -> Calibration:
    """Calibration in bins of equally many images (Nixon et al., "Measuring Calibration in Deep Learning", 2019)."""
    bins = min(bins, max(1, len(predictions.labels) // _IN_A_BIN))
    top, right = predictions.probabilities.max(axis=1), predictions.predicted == predictions.labels
    of_top = reliability(top, right, bins)
    by_class = {
        slug(name): _error(reliability(predictions.probabilities[:, index], predictions.labels == index, bins))
        for index, name in enumerate(predictions.classes)
    }
    return Calibration(
        ece=_error(of_top),
        class_ece=by_class,
        class_ece_mean=float(np.mean(list(by_class.values()))),
        brier=float(squared_errors(predictions).mean()),
        nll=float(losses(predictions).mean()),
        bins=of_top,
    )


def reliability(probabilities: NDArray[np.float64], came_true: NDArray[np.bool_], bins: int) -> list[Bin]:
    """Bins of about equally many images, (n,), from low to high probability; equal probabilities share a bin."""
    count = len(probabilities)
    places = ((rankdata(probabilities) - 0.5) / count * min(bins, count)).astype(np.int64)
    members = [places == place for place in np.unique(places)]
    return [Bin(float(probabilities[of].mean()), proportion(int(came_true[of].sum()), int(of.sum()), "")) for of in members]


def _error(bins: list[Bin]) -> float:
    """Mean distance of share from probability, weighted by images."""
    counts = [each.share.of or 0 for each in bins]
    gaps = [abs((each.share.value or 0.0) - each.probability) for each in bins]
    return float(np.average(gaps, weights=counts))
