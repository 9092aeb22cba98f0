"""Two models on the same images: differences with paired-bootstrap intervals, exact McNemar, DeLong, Holm's correction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest, norm

from cxr.evaluation.estimates import placements
from cxr.evaluation.metric_table import names_at
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.resampling import resampled, statistic_names, statistics_of
from cxr.text import slug

RESAMPLES = 2000


@dataclass(frozen=True)
class Difference:
    """How one metric differs: `other` minus `reference`, its 95 % interval, and a p-value if it was tested.

    `adjusted` is the p-value after Holm's correction over all tests that were made together.
    """

    metric: str
    reference: float
    other: float
    difference: float
    low: float
    high: float
    test: str = ""
    p_value: float | None = None
    adjusted: float | None = None

    @property
    def p_in_words(self) -> str:
        """The corrected p-value as tables show it; empty if it was not tested."""
        return "" if self.adjusted is None else "<0.001" if self.adjusted < 0.001 else f"{self.adjusted:.3f}"


def paired_differences(
    reference: Predictions, other: Predictions, groups: Sequence[str] | None = None, seed: int = 0
) -> list[Difference]:
    """Compare two models' predictions of the same images; raises `ValueError` if the images or labels differ.

    Metrics are those of the metric table that are compared; those without a value are left out. Intervals are percentiles of a
    bootstrap that draws whole `groups` of images (patients; images if none are given), the same draws for both models (Efron and
    Tibshirani 1993, chapters 8 and 13). Accuracy, sensitivity and specificity are tested by exact McNemar, AUC by DeLong.
    """
    if (reference.ids, reference.classes) != (other.ids, other.classes) or not np.array_equal(reference.labels, other.labels):
        raise ValueError("the two sets of predictions are not of the same images")
    names, compared = statistic_names(reference.classes), set(names_at("compare", reference.classes))
    statistics = statistics_of(reference), statistics_of(other)
    members = groups if groups is not None else reference.ids
    drawn = resampled(lambda weights: statistics[1](weights) - statistics[0](weights), members, RESAMPLES, seed)
    once = np.ones((1, len(members)))
    values = statistics[0](once)[:, 0], statistics[1](once)[:, 0]
    tests = _tests(reference, other)
    found = []
    for index, name in enumerate(names):
        first, second = float(values[0][index]), float(values[1][index])
        if not (name in compared and np.isfinite(first) and np.isfinite(second)):
            continue
        low, high = np.nanquantile(drawn[index], (0.025, 0.975))
        test, p_value = tests.get(name, ("", None))
        found.append(Difference(name, first, second, second - first, float(low), float(high), test, p_value))
    return found


def mcnemar(reference_right: NDArray[np.bool_], other_right: NDArray[np.bool_]) -> float:
    """Two-sided p-value that two models are right equally often, by the exact binomial (McNemar 1947)."""
    only_reference = int((reference_right & ~other_right).sum())
    only_other = int((other_right & ~reference_right).sum())
    return float(binomtest(only_other, only_reference + only_other).pvalue) if only_reference + only_other else 1.0


def delong(positive: NDArray[np.bool_], reference: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Two-sided p-value that two scores of the same images have equal AUC (DeLong et al. 1988, by Sun and Xu 2014's ranks)."""
    m, n = int(positive.sum()), int((~positive).sum())
    if m < 2 or n < 2:
        return 1.0
    found = [placements(positive, scores) for scores in (reference, other)]
    above, below = [each[0] for each in found], [each[1] for each in found]
    aucs = [float(each.mean()) for each in above]
    covariance = np.cov(np.stack(above)) / m + np.cov(np.stack(below)) / n
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if variance <= 1e-20:
        return 1.0 if abs(aucs[0] - aucs[1]) < 1e-12 else 0.0
    return float(2 * norm.sf(abs(aucs[1] - aucs[0]) / np.sqrt(variance)))


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values adjusted so that the chance of any false finding stays at the level (Holm 1979).

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values, kind="stable")
    adjusted = np.maximum.accumulate([(len(p_values) - rank) * p_values[index] for rank, index in enumerate(order)])
    back = np.empty(len(p_values))
    back[order] = np.minimum(adjusted, 1)
    return [float(value) for value in back]


def corrected(comparisons: Sequence[Sequence[Difference]]) -> list[list[Difference]]:
    """The same differences with p-values adjusted over all tests of all comparisons."""
    tested = [each.p_value for differences in comparisons for each in differences if each.p_value is not None]
    adjusted = iter(holm(tested))
    return [
        [each if each.p_value is None else replace(each, adjusted=next(adjusted)) for each in differences]
        for differences in comparisons
    ]


def disagreements(reference: Predictions, other: Predictions) -> pd.DataFrame:
    """Images that only one model classifies correctly.

    Columns: id, label, right (reference or other), the predictions of both, and their probabilities of the true class.
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


def _tests(reference: Predictions, other: Predictions) -> dict[str, tuple[str, float]]:
    right = reference.predicted == reference.labels, other.predicted == other.labels
    found = {"accuracy": ("McNemar", mcnemar(*right))}
    for index, name in enumerate(reference.classes):
        of_class = reference.labels == index
        if not 0 < of_class.sum() < len(of_class):
            continue
        scores = reference.probabilities[:, index], other.probabilities[:, index]
        found[f"{slug(name)}/auc"] = ("DeLong", delong(of_class, *scores))
        called = reference.predicted == index, other.predicted == index
        found[f"{slug(name)}/sensitivity"] = ("McNemar", mcnemar(called[0][of_class], called[1][of_class]))
        found[f"{slug(name)}/specificity"] = ("McNemar", mcnemar(~called[0][~of_class], ~called[1][~of_class]))
    return found
