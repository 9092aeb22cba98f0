"""The bootstrap, statistics of resampled predictions, and cross-fitting: whole groups are drawn, or left out, together."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import KFold

from cxr.evaluation.effective_size import numbered
from cxr.evaluation.metric_table import BY_CLASS, OVERALL, Counts
from cxr.evaluation.predictions import Predictions
from cxr.text import slug

_CELLS = 4_000_000  # of the largest array that a batch of resamples may need

Statistics = Callable[[NDArray[np.float64]], NDArray[np.float64]]  # weights (rows, n): values (statistics, rows)


def resampled(statistics: Statistics, groups: Sequence[str], resamples: int, seed: int) -> NDArray[np.float64]:
    """Statistics of `resamples` draws of as many groups as there are, with replacement: (statistics, resamples).

    `groups` has the group of each of n images. How often an image was drawn is its weight. The same seed gives the same draws
    for any statistics, so two models can be compared draw by draw.
    """
    members = numbered(groups)
    count = int(members.max()) + 1
    rng = np.random.default_rng(seed)
    at_once = max(1, _CELLS // len(members))
    drawn = []
    for start in range(0, resamples, at_once):
        times = rng.multinomial(count, np.full(count, 1 / count), size=min(at_once, resamples - start))
        drawn.append(statistics(times[:, members].astype(np.float64)))
    return np.concatenate(drawn, axis=1)


def cross_fitting_folds(count: int, groups: Sequence[str] | None = None) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """The rows to fit on and the rows left out, ten times (fewer with fewer groups); all images of a group are on one side.

    Args:
        groups: the group of each of `count` images, two or more; without any each image is one.

    Yields:
        Rows to fit on, (k,), and rows left out, (n - k,).
    """
    places: dict[str | int, int] = {}
    members = np.array([places.setdefault(group, len(places)) for group in (range(count) if groups is None else groups)])
    for _, left_out in KFold(min(10, len(places)), shuffle=True, random_state=0).split(np.arange(len(places))):
        fold = np.isin(members, left_out)
        yield np.flatnonzero(~fold), np.flatnonzero(fold)


def statistic_names(classes: Sequence[str]) -> list[str]:
    """The names of the statistics that `statistics_of` computes, in its order."""
    by_class = [f"{slug(name)}/{metric.name}" for name in classes for metric in BY_CLASS if metric.compute]
    return [*(metric.name for metric in OVERALL if metric.compute), *by_class]


def statistics_of(predictions: Predictions) -> Statistics:
    """A function from image weights (rows, n) to every statistic for each row, (statistics, rows); nan if it has no value."""
    labels, predicted, probabilities = predictions.labels, predictions.predicted, predictions.probabilities
    k = len(predictions.classes)
    cells = np.eye(k * k)[labels * k + predicted]
    of_image = np.stack([losses(predictions), squared_errors(predictions)], axis=1)

    def statistics(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        confusion = (weights @ cells).reshape(-1, k, k)
        total = confusion.sum(axis=(1, 2))
        log_loss, brier = (weights @ of_image).T / total
        curves = [areas(labels == index, probabilities[:, index], weights) for index in range(k)]
        auc, auprc = (np.stack([curve[place] for curve in curves], axis=1) for place in (0, 1))
        hits, of_class, predicted_as = np.einsum("bii->bi", confusion), confusion.sum(axis=2), confusion.sum(axis=1)
        counts = Counts(hits, of_class, predicted_as, total, log_loss, brier, auc, auprc)
        overall = [metric.compute(counts) for metric in OVERALL if metric.compute]
        by_class = [metric.compute(counts) for metric in BY_CLASS if metric.compute]
        return np.stack([*overall, *(values[:, index] for index in range(k) for values in by_class)])

    return statistics


def areas(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas under the ROC curve and the precision-recall curve, (rows,) each; nan without images of both kinds.

    Ties count half in the first; the second is average precision, the sum of precisions weighted by the gain in sensitivity, with
    equal scores as one threshold.

    Args:
        positive, scores: (n,).
        weights: (rows, n), how often each image counts.
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
    """Each image's Brier score, the sum over classes of (probability - truth) squared, (n,), from 0 to 2.

    Source:
        Brier 1950.
    """
    truth = np.eye(len(predictions.classes))[predictions.labels]
    return np.asarray(((predictions.probabilities - truth) ** 2).sum(axis=1))
