"""Two models on the same images: each difference with its interval and its test from one method, so that the two agree."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from cxr.evaluation.effective_size import design_effect, numbered
from cxr.evaluation.estimates import CONFIDENCE, Z
from cxr.evaluation.metric_table import names_at
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.resampling import resampled, statistic_names, statistics_of
from cxr.evaluation.roc import auc_error
from cxr.evaluation.tango import paired_proportions
from cxr.text import slug

RESAMPLES = 2000
TANGO, DELONG, BOOTSTRAP = "Tango", "DeLong", "bootstrap"


@dataclass(frozen=True)
class Difference:
    """How one metric differs: `other` minus `reference`, its 95 % interval, and the p-value that there is no difference.

    Interval and p-value are of one method (Tango, DeLong or bootstrap), so the interval leaves out 0 where p < 0.05 and only
    there. Both are None where the method gives none, with the reason in `why_not`. `adjusted` is the p-value after Holm's
    correction over the runs that were compared on this metric.
    """

    metric: str
    reference: float
    other: float
    difference: float
    low: float | None
    high: float | None
    p_value: float | None
    method: str
    why_not: str = ""
    adjusted: float | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the models differ at the 5 % level after correction; then the interval leaves out 0 too."""
        return self.adjusted is not None and self.adjusted < 1 - CONFIDENCE

    @property
    def interval_text(self) -> str:
        """The interval as tables show it."""
        return "-" if self.low is None or self.high is None else f"{self.low:+.3f} to {self.high:+.3f}"

    @property
    def p_value_text(self) -> str:
        """The p-value as tables show it."""
        return _format_p_value(self.p_value)

    @property
    def adjusted_p_value_text(self) -> str:
        """The corrected p-value as tables show it."""
        return _format_p_value(self.adjusted)


def _format_p_value(value: float | None) -> str:
    return "-" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def paired_differences(reference: Predictions, other: Predictions, groups: Sequence[str] | None = None) -> list[Difference]:
    """Compare two models' predictions of the same images.

    Metrics are those of the metric table that are compared; those without a value are left out. Accuracy, sensitivity and
    specificity are compared by Tango's score interval, AUC by DeLong's, the others by the standard error of a bootstrap with the
    same draws for both models.

    Args:
        groups: patients, whose images count as alike in all three; without them each image is one.

    Raises:
        ValueError: The images or labels differ.

    Source:
        Efron and Tibshirani 1993, chapters 6 and 8.
    """
    if (reference.ids, reference.classes) != (other.ids, other.classes) or not np.array_equal(reference.labels, other.labels):
        raise ValueError("the two sets of predictions are not of the same images")
    names, compared = statistic_names(reference.classes), set(names_at("compare", reference.classes))
    statistics = statistics_of(reference), statistics_of(other)
    labels = reference.ids if groups is None else groups
    members = numbered(labels)
    drawn = resampled(lambda weights: statistics[1](weights) - statistics[0](weights), labels, RESAMPLES, seed=0)
    once = np.ones((1, len(members)))
    values = statistics[0](once)[:, 0], statistics[1](once)[:, 0]
    successes, classes = _proportions(reference, other), range(len(reference.classes))
    areas = {"auc_macro_ovr": [*classes]} | {f"{slug(reference.classes[index])}/auc": [index] for index in classes}
    differences = []
    for index, name in enumerate(names):
        first, second = float(values[0][index]), float(values[1][index])
        if not (name in compared and np.isfinite(first) and np.isfinite(second)):
            continue
        if name in successes:
            change, places = successes[name]
            differences.append(_by_tango(name, first, second, change, members[places]))
        elif name in areas:
            error = auc_error(reference, other, areas[name], members)
            differences.append(_by_error(name, first, second, error, DELONG))
        else:
            known = drawn[index][np.isfinite(drawn[index])]
            spread = float(known.std()) if len(known) >= 0.95 * len(drawn[index]) else None
            differences.append(_by_error(name, first, second, spread, BOOTSTRAP))
    return differences


def paired_rate(metric: str, reference: NDArray[np.bool_], other: NDArray[np.bool_], groups: Sequence[str]) -> Difference:
    """The difference of the shares of images for which two rules are right, by Tango's score interval.

    Args:
        reference: (n,), where the one is right.
        other: (n,), where the other is.
        groups: (n,); images of a group count as alike.
    """
    change = other.astype(float) - reference.astype(float)
    return _by_tango(metric, float(reference.mean()), float(other.mean()), change, groups)


def _by_tango(
    name: str, first: float, second: float, change: NDArray[np.float64], groups: Sequence[str] | NDArray[np.int64]
) -> Difference:
    """From -1, 0 or 1 for each image that counts, (n,), and its group."""
    effect = design_effect(change, numbered(groups))
    gained, lost = float((change > 0).sum()), float((change < 0).sum())
    low, high, p_value = paired_proportions(gained / effect, lost / effect, len(change) / effect)
    return Difference(name, first, second, second - first, low, high, p_value, TANGO)


def _by_error(name: str, first: float, second: float, error: float | None, method: str) -> Difference:
    """From a standard error; none where it can't be known."""
    difference = second - first
    if error is None or error < 1e-9:
        alike = "both models rank and weigh these images alike, or one is perfect, so the spread can't be estimated"
        why_not = "too few images of a class" if error is None else alike
        return Difference(name, first, second, difference, None, None, None, method, why_not)
    p_value = float(2 * norm.sf(abs(difference) / error))
    return Difference(name, first, second, difference, difference - Z * error, difference + Z * error, p_value, method)


def _proportions(reference: Predictions, other: Predictions) -> dict[str, tuple[NDArray[np.float64], NDArray[np.int64]]]:
    """By metric: the change of each image that counts, 1 if only the other model is right, and the places of those images."""
    right = [(predictions.predicted == predictions.labels).astype(float) for predictions in (reference, other)]
    changes = {"accuracy": (right[1] - right[0], np.arange(len(reference.labels)))}
    for index, name in enumerate(reference.classes):
        called = [(predictions.predicted == index).astype(float) for predictions in (reference, other)]
        inside, outside = np.flatnonzero(reference.labels == index), np.flatnonzero(reference.labels != index)
        changes[f"{slug(name)}/sensitivity"] = ((called[1] - called[0])[inside], inside)
        changes[f"{slug(name)}/specificity"] = ((called[0] - called[1])[outside], outside)
    return changes


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted so that the chance of any false finding stays at the level.

    Source:
        Holm 1979.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = np.maximum.accumulate([(len(p_values) - rank) * p_values[index] for rank, index in enumerate(order)])
    back = np.empty(len(p_values))
    back[order] = np.minimum(adjusted, 1)
    return [float(value) for value in back]


def corrected(comparisons: Sequence[Sequence[Difference]]) -> list[list[Difference]]:
    """The same differences of several runs from one reference, with p-values of each metric adjusted over the runs."""
    by_metric: dict[str, list[float]] = defaultdict(list)
    for differences in comparisons:
        for difference in differences:
            if difference.p_value is not None:
                by_metric[difference.metric].append(difference.p_value)
    adjusted = {metric: iter(holm(p_values)) for metric, p_values in by_metric.items()}
    return [
        [
            difference if difference.p_value is None else replace(difference, adjusted=next(adjusted[difference.metric]))
            for difference in differences
        ]
        for differences in comparisons
    ]


def disagreements(reference: Predictions, other: Predictions) -> pd.DataFrame:
    """Images that only one model classifies correctly.

    Returns:
        Columns id, label, right (reference or other), the predictions of both, and their probabilities of the true class.
    """
    right = reference.predicted == reference.labels, other.predicted == other.labels
    rows = np.flatnonzero(right[0] != right[1])
    classes, true = np.array(reference.classes), reference.labels[rows]
    return pd.DataFrame(
        {
            "id": [reference.ids[row] for row in rows],
            "label": classes[true],
            "right": np.where(right[0][rows], "reference", "other"),
            "reference_says": classes[reference.predicted[rows]],
            "other_says": classes[other.predicted[rows]],
            "reference_p_true": reference.probabilities[rows, true],
            "other_p_true": other.probabilities[rows, true],
        }
    )
