"""Numbers of subgroups: images with one value of source or of another column of the manifest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.evaluation.calibration import Calibration, calibration
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.metrics import evaluate
from cxr.evaluation.operating_points import Rates, Rule, decisions, rates
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.triage import ZONES

UNKNOWN = "unknown"
MOST = 20  # subgroups of one column: its most frequent values
_QUARTERS_FROM = 10  # different numbers in a column, from which it is split into quarters of the images


@dataclass(frozen=True)
class Subgroup:
    """Images that have one value in a column of the manifest.

    `small` groups have wide intervals. `estimates` have the names of those of all images; `rates` of each operating
    point by its name; `zones` counts images of the positive class and others by triage zone. Both are empty without a positive
    class.
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
    for column in columns.columns:
        of_column = []
        for value, members in _members(columns[column]):
            some, alike = predictions.only(members), None if groups is None else [groups[row] for row in members]
            positive = some.labels == positive_class
            of_rules = {} if positive_class is None else {rule.name: decisions(rule, some, positive_class) for rule in rules}
            of_column.append(
                Subgroup(
                    column=str(column),
                    value=value,
                    images=len(members),
                    by_class=some.by_class,
                    small=len(members) < small_below,
                    estimates=evaluate(some, alike).estimates,
                    calibration=calibration(some, bins),
                    rates={name: rates(called == positive_class, positive, alike) for name, called in of_rules.items()},
                    zones={} if zones is None or positive_class is None else _zones(zones[members], positive),
                )
            )
        ordered += sorted(of_column, key=lambda subgroup: (subgroup.estimates["balanced_accuracy"].value or 0.0, subgroup.value))
    return ordered


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
