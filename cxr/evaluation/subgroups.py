"""Numbers of subgroups: images with one value of source or of another column of the manifest."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.evaluation.calibration import Calibration, calibration
from cxr.evaluation.estimates import CONFIDENCE, Estimate, proportion_among, unpaired_difference
from cxr.evaluation.metrics import evaluate
from cxr.evaluation.operating_points import Rates, Rule, decisions, rates
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.roc import area_under_roc
from cxr.evaluation.triage import ZONES

UNKNOWN = "unknown"
MOST = 20  # subgroups of one column: its most frequent values
# An estimate of the images that count, (n,), with an interval of a confidence.
Measure = Callable[[NDArray[np.bool_], float], Estimate]
_QUARTERS_FROM = 10  # different numbers in a column, from which it is split into quarters of the images


@dataclass(frozen=True)
class Subgroup:
    """Images that have one value in a column of the manifest.

    `small` groups have wide intervals. `estimates` have the names of those of all images; `rates` of each operating
    point by its name; `zones` counts images of the positive class and others by triage zone. Both are empty without a positive
    class. `gaps` are differences from the other images, by the name of a rate; their intervals hold for all of a report together.
    """

    column: str
    value: str
    images: int
    by_class: dict[str, int]
    small: bool
    estimates: dict[str, Estimate]
    calibration: Calibration
    rates: dict[str, Rates]
    zones: dict[str, dict[str, int]]
    gaps: dict[str, Estimate] = field(default_factory=dict)

    @property
    def shown_gaps(self) -> dict[str, Estimate]:
        """The gaps whose intervals leave out 0."""
        return {name: gap for name, gap in self.gaps.items() if gap.known and (gap.known[1] > 0 or gap.known[2] < 0)}

    @property
    def name(self) -> str:
        """Column and value."""
        return f"{self.column}: {self.value}"


def subgroups(
    predictions: Predictions,
    columns: pd.DataFrame,
    rules: list[Rule],
    positive_class: int | None,
    zones: NDArray[np.int64] | None,
    bins: int,
    small_below: int,
    groups: Sequence[str] | None = None,
) -> list[Subgroup]:
    """Each value of each column, lowest balanced accuracy first within a column; columns with one value are left out.

    Args:
        columns: (n, columns), rows in the order of the predictions.
        zones: (n,), indices into `ZONES`.
        groups: (n,); images of a group count as alike.
    """
    ordered = []
    members_of = {str(column): list(_members(columns[column])) for column in columns.columns}
    measured = _measures(predictions, rules, positive_class, groups)
    # of two values each is the rest of the other
    comparisons = len(measured) * sum(len(values) - (len(values) == 2) for values in members_of.values())
    for column, values in members_of.items():
        of_column = []
        for value, members in values:
            some, alike = predictions.only(members), None if groups is None else [groups[row] for row in members]
            positive = some.labels == positive_class
            of_rules = {} if positive_class is None else {rule.name: decisions(rule, some, positive_class) for rule in rules}
            of_column.append(
                Subgroup(
                    column=column,
                    value=value,
                    images=len(members),
                    by_class=some.by_class,
                    small=len(members) < small_below,
                    estimates=evaluate(some, alike).estimates,
                    calibration=calibration(some, bins),
                    rates={name: rates(called == positive_class, positive, alike) for name, called in of_rules.items()},
                    zones={} if zones is None or positive_class is None else _zones(zones[members], positive),
                    gaps=_gaps(measured, members, len(predictions.labels), comparisons),
                )
            )
        ordered += sorted(of_column, key=lambda subgroup: (subgroup.estimates["balanced_accuracy"].value or 0.0, subgroup.value))
    return ordered


def worst_group_auc(predictions: Predictions, columns: pd.DataFrame, small_below: int) -> Estimate | None:
    """The lowest macro AUC among subgroups that are not small and have images of every class; None without such a subgroup.

    Args:
        columns: (n, columns), rows in the order of the predictions.
    """
    large = [members for column in columns.columns for _, members in _members(columns[column]) if len(members) >= small_below]
    areas = [evaluate(predictions.only(members)).estimates["auc_macro_ovr"].value for members in large]
    lowest = min((area for area in areas if area is not None), default=None)
    return None if lowest is None else Estimate(lowest, why_not="no interval: it is the lowest of several")


def gap_rule(rules: Sequence[Rule]) -> Rule:
    """The operating point at which subgroups are compared: that of the sensitivity target, or the first."""
    return next((rule for rule in rules if rule.aim == "sensitivity"), rules[0])


def _measures(
    predictions: Predictions, rules: list[Rule], positive_class: int | None, groups: Sequence[str] | None
) -> dict[str, Measure]:
    """What gaps are of: accuracy; with a positive class its rates at the sensitivity target, or of argmax, and its AUC."""
    if positive_class is None or not rules:
        right = predictions.predicted == predictions.labels
        return {"accuracy": lambda among, confidence: proportion_among(right, among, groups, "no image", confidence)}
    rule = gap_rule(rules)
    called, positive = decisions(rule, predictions, positive_class) == positive_class, predictions.labels == positive_class
    scores = predictions.probabilities[:, positive_class]

    def auc(among: NDArray[np.bool_], confidence: float) -> Estimate:
        alike = None if groups is None else list(np.asarray(groups)[among])
        return area_under_roc(positive[among], scores[among], alike, confidence)

    why = "no image is of this class", "every image is of this class"
    return {
        "sensitivity": lambda among, confidence: proportion_among(called, positive & among, groups, why[0], confidence),
        "specificity": lambda among, confidence: proportion_among(~called, ~positive & among, groups, why[1], confidence),
        "auc": auc,
    }


def _gaps(measured: dict[str, Measure], members: NDArray[np.int64], images: int, comparisons: int) -> dict[str, Estimate]:
    """Each measure of some images less that of all others, with Bonferroni's intervals for so many comparisons.

    A patient on both sides makes the intervals wider than they need to be.
    """
    confidence = 1 - (1 - CONFIDENCE) / comparisons
    among = np.zeros(images, bool)
    among[members] = True
    return {
        name: unpaired_difference(measure(~among, confidence), measure(among, confidence)) for name, measure in measured.items()
    }


def _members(column: pd.Series) -> Iterator[tuple[str, NDArray[np.int64]]]:
    """Each value and its rows; nothing for a column of one value."""
    values = _as_values(column)
    counts = values.value_counts()
    if len(counts) < 2:
        return
    for value in sorted(counts.sort_index().sort_values(ascending=False, kind="stable").index[:MOST]):
        yield str(value), np.flatnonzero((values == value).to_numpy())


def _as_values(column: pd.Series) -> pd.Series:
    """As text; numbers of many values by quarters, and nothing as unknown."""
    text = column.fillna("").astype(str).str.strip().replace("", UNKNOWN)
    numbers = pd.to_numeric(text.where(text != UNKNOWN), errors="coerce").replace([np.inf, -np.inf], np.nan)
    if numbers.notna().sum() == (text != UNKNOWN).sum() and numbers.nunique() > _QUARTERS_FROM:
        quarters = pd.qcut(numbers, 4, duplicates="drop")
        ends = numbers.groupby(quarters, observed=True).agg(["min", "max"])
        ranges = {quarter: f"{low:g} to {high:g}" for quarter, (low, high) in zip(ends.index, ends.to_numpy(), strict=True)}
        return quarters.astype(object).map(ranges).where(numbers.notna(), UNKNOWN).astype(str)
    return text


def _zones(zones: NDArray[np.int64], positive: NDArray[np.bool_]) -> dict[str, dict[str, int]]:
    return {
        name: {"positives": int((positive & (zones == index)).sum()), "others": int((~positive & (zones == index)).sum())}
        for index, name in enumerate(ZONES)
    }
