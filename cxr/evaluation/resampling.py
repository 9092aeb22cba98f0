"""The bootstrap: statistics of predictions whose images, whole groups at a time, are drawn anew, thousands of times at once."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from cxr.evaluation.predictions import Predictions
from cxr.text import slug

_CELLS = 4_000_000  # of the largest array that a batch of resamples may need

Statistics = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # weights (rows, n): values (statistics, rows)


def resampled(statistics: Statistics, groups: Sequence[str], resamples: int, seed: int) -> NDArray[np.float64]:
    """Statistics of `resamples` draws of as many groups as there are, with replacement: (statistics, resamples).

    `groups` has the group of each of n images. How often an image was drawn is its weight. The same seed gives the same draws
    whatever is computed of them, so two models can be compared draw by draw.
    """
    members = np.unique(np.asarray(groups), return_inverse=True)[1].ravel()
    count = int(members.max()) + 1
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS // len(members))
    found = []
    for start in range(0, resamples, at_once):
        times = rng.multinomial(count, np.full(count, 1 / count), size=min(at_once, resamples - start))
        found.append(statistics(times[:, members].astype(np.float64)))
    return np.concatenate(found, axis=1)


def statistic_names(classes: Sequence[str]) -> list[str]:
    """The names of what `statistics_of` computes, in its order."""
    by_class = [f"{slug(name)}/{key}" for name in classes for key in ("sensitivity", "specificity", "auc", "auprc")]
    overall = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "mcc", "log_loss", "brier")
    return [*overall, "auc_macro_ovr", "auc_weighted_ovr", "auprc_macro_ovr", *by_class]


def statistics_of(predictions: Predictions) -> Statistics:
    """A function from image weights (rows, n) to every statistic for each row, (statistics, rows); nan where there is no value."""
    labels, predicted, probabilities = predictions.labels, predictions.predicted, predictions.probabilities
    k = len(predictions.classes)
    cells = np.eye(k * k)[labels * k + predicted]
    of_image = np.stack([losses(predictions), squared_errors(predictions)], axis=1)

    def statistics(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        confusion = (weights @ cells).reshape(-1, k, k)
        total = confusion.sum(axis=(1, 2))
        hits, of_class, called = np.einsum("bii->bi", confusion), confusion.sum(axis=2), confusion.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            sensitivity = hits / of_class
            specificity = 1 - (called - hits) / (total[:, None] - of_class)
            f1 = 2 * hits / (of_class + called)
        curves = [areas(labels == index, probabilities[:, index], weights) for index in range(k)]
        auc, auprc = (np.stack([curve[place] for curve in curves], axis=1) for place in (0, 1))
        overall = [
            hits.sum(axis=1) / total,
            _mean(sensitivity),
            _mean(f1),
            np.nansum(f1 * of_class, axis=1) / total,
            _matthews(hits, of_class, called, total),
            *((weights @ of_image).T / total),
            auc.mean(axis=1),
            (auc * of_class).sum(axis=1) / total,
            auprc.mean(axis=1),
        ]
        by_class = [each[:, index] for index in range(k) for each in (sensitivity, specificity, auc, auprc)]
        return np.stack([*overall, *by_class])

    return statistics


def areas(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas under the ROC curve and the precision-recall curve, each image counted `weights` (rows, n) times: (rows,) each.

    Ties count half in the first; the second is average precision, the sum of precisions weighted by the gain in sensitivity,
    equal scores being one threshold. nan without images of both kinds.
    """
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) < 0])
    sorted_weights = weights[:, order]
    hits = np.add.reduceat(sorted_weights * positive[order], starts, axis=1)
    alarms = np.add.reduceat(sorted_weights, starts, axis=1) - hits
    all_hits, all_alarms = np.cumsum(hits, axis=1), np.cumsum(alarms, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        auc = (alarms * (all_hits - hits / 2)).sum(axis=1) / (all_hits[:, -1] * all_alarms[:, -1])
        called = all_hits + all_alarms
        precision = np.divide(all_hits, called, out=np.zeros_like(called), where=called > 0)
        auprc = (hits * precision).sum(axis=1) / all_hits[:, -1]
    return np.asarray(auc), np.where(all_alarms[:, -1] > 0, auprc, np.nan)


def losses(predictions: Predictions) -> NDArray[np.float64]:
    """Negative log of the probability of each image's true class, (n,); 0 counts as 2.2e-16, as scikit-learn has it."""
    true = predictions.probabilities[np.arange(len(predictions.labels)), predictions.labels]
    return np.asarray(-np.log(np.clip(true, np.finfo(float).eps, 1)))


def squared_errors(predictions: Predictions) -> NDArray[np.float64]:
    """Each image's Brier score, the sum over classes of (probability - truth) squared, (n,), from 0 to 2 (Brier 1950)."""
    truth = np.eye(len(predictions.classes))[predictions.labels]
    return np.asarray(((predictions.probabilities - truth) ** 2).sum(axis=1))


def _mean(of_class: NDArray[np.float64]) -> NDArray[np.float64]:
    """Over the classes that have a value: those that occur, and of F1 those that are called so too, as in scikit-learn."""
    present = np.isfinite(of_class)
    return np.asarray(np.where(present, of_class, 0).sum(axis=1) / present.sum(axis=1))


def _matthews(
    hits: NDArray[np.float64], of_class: NDArray[np.float64], called: NDArray[np.float64], total: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Matthews' correlation of any number of classes (Gorodkin 2004); 0 where all images are of one class or called one."""
    shared = hits.sum(axis=1) * total - (of_class * called).sum(axis=1)
    size = np.sqrt((total**2 - (of_class**2).sum(axis=1)) * (total**2 - (called**2).sum(axis=1)))
    return np.asarray(np.divide(shared, size, out=np.zeros_like(shared), where=size > 0))
