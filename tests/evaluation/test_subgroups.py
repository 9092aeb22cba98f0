"""Subgroups: the numbers of exactly those images, worst first, small ones marked."""

import numpy as np
import pandas as pd
import pytest

from cxr.evaluation.metrics import evaluate
from cxr.evaluation.operating_points import choose_rules, decisions
from cxr.evaluation.subgroups import MOST, subgroups
from tests.evaluation.made import skilled

SHOWN = skilled(1, 300)
RULES = choose_rules(SHOWN, 0, 0.9, 0.9, (1 - np.eye(3)).astype(np.float32), 1.0)
ZONES = np.arange(300) % 3


def test_numbers_are_those_of_the_images_worst_first_and_small_ones_are_marked() -> None:
    site = pd.Series(np.where(np.arange(300) < 280, np.where(np.arange(300) % 2, "a", "b"), "c"))
    groups = subgroups(SHOWN, pd.DataFrame({"site": site}), RULES, 0, ZONES, bins=10, small_below=30)
    assert {group.value: (group.images, group.small) for group in groups} == {"a": (140, False), "b": (140, False), "c": (20, True)}
    balanced = [group.estimates["balanced_accuracy"].value or 0 for group in groups]
    assert balanced == sorted(balanced)
    for group in groups:
        rows = np.flatnonzero(site == group.value)
        some, routine = SHOWN.only(rows), ZONES[rows] == 2
        urgent = some.labels == 0
        assert group.estimates == evaluate(some).estimates
        assert group.by_class["COVID"] == urgent.sum()
        for rule in RULES:
            assert group.rates[rule.name].sensitivity.count == ((decisions(rule, some, 0) == 0) & urgent).sum()
        assert group.zones["routine"] == {"positives": (routine & urgent).sum(), "others": (routine & ~urgent).sum()}


@pytest.mark.parametrize(
    ("ages", "values"),
    [
        ([str(20 + row % 56) for row in range(280)] + [""] * 20, {"20 to 33", "34 to 47", "48 to 61", "62 to 75", "unknown"}),
        ([str(row % 15) for row in range(299)] + ["inf"], {*map(str, range(15)), "inf"}),
        (["x"] * 300, set()),
        ([""] * 300, set()),
    ],
    ids=["quarters", "a number without an end", "one value", "no value"],
)
def test_values_of_a_column(ages: list[str], values: set[str]) -> None:
    groups = subgroups(SHOWN, pd.DataFrame({"age": ages}), [], None, None, bins=5, small_below=30)
    assert {group.value for group in groups} == values
    assert sum(group.images for group in groups) == (300 if values else 0)
    assert not any(group.rates or group.zones for group in groups)


def test_most_frequent_of_very_many_values_are_shown() -> None:
    names = pd.Series([f"site {row % 25}" if row < 200 else "site 3" for row in range(300)])
    groups = subgroups(SHOWN, pd.DataFrame({"site": names}), RULES, 0, ZONES, 10, 30)
    assert len(groups) == MOST
    assert max(groups, key=lambda group: group.images).value == "site 3"
