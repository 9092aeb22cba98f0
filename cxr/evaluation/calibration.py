"""Calibration: the agreement of probabilities with frequencies, and temperature scaling fitted on validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import rankdata

from cxr.evaluation.estimates import Estimate, proportion
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.resampling import cross_fitting_folds, losses, squared_errors
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


def fit_temperature(predictions: Predictions, groups: Sequence[str] | None = None) -> Temperature:
    """The temperature that makes these labels most likely.

    It changes neither the most probable class nor the ranking of classes of an image. Between 0.05 and 20; where the images do not
    determine it, as where every prediction is right, it stays 1; so it does where scaling does not lower the log loss of validation
    images that it was not fitted on (10-fold cross-fitting; images of one of the `groups` (n,) are in one fold).

    Source:
        Guo et al., "On Calibration of Modern Neural Networks", 2017.
    """
    count = len(predictions.labels)
    if (predictions.predicted == predictions.labels).all():
        return Temperature(1.0, count, "all validation images are right, so the colder the better")
    if groups is not None and len(set(groups)) == 1 < count:
        return Temperature(1.0, count, "all validation images are of one group, so it can't be checked on others")
    logits = np.log(np.clip(predictions.probabilities, np.finfo(float).eps, 1))
    best = _most_likely(logits, predictions.labels)
    if min(abs(np.log(best) - np.log([_COLDEST, _HOTTEST]))) < 0.01:
        return Temperature(1.0, count, "the best one is at the end of the range, so these images do not determine it")
    if count == 1:
        return Temperature(1.0, count, "there is one validation image, so it can't be checked on others")
    labels, scaled_losses = predictions.labels, np.empty(count)
    for others, fold in cross_fitting_folds(count, groups):
        scaled_losses[fold] = _log_losses(logits[fold] / _most_likely(logits[others], labels[others]), labels[fold])
    before, after = float(_log_losses(logits, labels).mean()), float(scaled_losses.mean())
    if after >= before:
        changed = f"{after:.4f} instead of {before:.4f}"
        return Temperature(1.0, count, f"not applied: on validation images that it was not fitted on it makes log loss {changed}")
    return Temperature(best, count)


def _most_likely(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> float:
    """The temperature of least log loss."""

    def loss(log_temperature: float) -> float:
        return float(_log_losses(logits / np.exp(log_temperature), labels).mean())

    ends = np.log([_COLDEST, _HOTTEST])
    return float(np.exp(minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-6}).x))


def _log_losses(logits: NDArray[np.float64], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(logsumexp(logits, axis=1) - logits[np.arange(len(labels)), labels])


def scaled(predictions: Predictions, temperature: float) -> Predictions:
    """The same predictions with logits divided by a temperature."""
    logits = np.log(np.clip(predictions.probabilities, np.finfo(float).eps, 1)) / temperature
    probabilities = np.exp(logits - logsumexp(logits, axis=1, keepdims=True))
    return Predictions(predictions.ids, predictions.classes, predictions.labels, probabilities)


def calibration(predictions: Predictions, bins: int) -> Calibration:
    """Calibration in bins of equally many images.

    Source:
        Nixon et al., "Measuring Calibration in Deep Learning", 2019.
    """
    bins = usable_bins(bins, len(predictions.labels))
    top, right = predictions.probabilities.max(axis=1), predictions.predicted == predictions.labels
    of_top = reliability(top, right, bins)
    by_class = {
        slug(name): expected_error(reliability(predictions.probabilities[:, index], predictions.labels == index, bins))
        for index, name in enumerate(predictions.classes)
    }
    return Calibration(
        ece=expected_error(of_top),
        class_ece=by_class,
        class_ece_mean=float(np.mean(list(by_class.values()))),
        brier=float(squared_errors(predictions).mean()),
        nll=float(losses(predictions).mean()),
        bins=of_top,
    )


def usable_bins(bins: int, images: int) -> int:
    """As many of the `bins` as have ten images each."""
    return min(bins, max(1, images // _IN_A_BIN))


def reliability(probabilities: NDArray[np.float64], came_true: NDArray[np.bool_], bins: int) -> list[Bin]:
    """Bins of about equally many images, from low to high probability; equal probabilities share a bin.

    Args:
        probabilities: (n,), 0 to 1.
        came_true: (n,).
    """
    count = len(probabilities)
    places = ((rankdata(probabilities) - 0.5) / count * min(bins, count)).astype(np.int64)
    members = [places == place for place in np.unique(places)]
    return [Bin(float(probabilities[of].mean()), proportion(int(came_true[of].sum()), int(of.sum()), "")) for of in members]


def expected_error(bins: list[Bin]) -> float:
    """Mean distance of share from probability, weighted by images."""
    counts = [one_bin.share.of or 0 for one_bin in bins]
    gaps = [abs((one_bin.share.value or 0.0) - one_bin.probability) for one_bin in bins]
    return float(np.average(gaps, weights=counts))
