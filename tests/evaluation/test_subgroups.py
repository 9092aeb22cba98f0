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
    found = subgroups(SHOWN, pd.DataFrame({"site": site}), RULES, 0, ZONES, bins=10, small_below=30)
    assert {each.value: (each.images, each.small) for each in found} == {"a": (140, False), "b": (140, False), "c": (20, True)}
    balanced = [each.estimates["balanced_accuracy"].value for each in found]
    assert balanced == sorted(balanced, key=lambda value: value or 0)
    for each in found:
        some = SHOWN.only(np.flatnonzero(site == each.value))
        assert each.estimates == evaluate(some).estimates
        assert each.by_class["COVID"] == (some.labels == 0).sum()
        urgent = some.labels == 0
        for rule in RULES:
            assert each.rates[rule.name].sensitivity.count == ((decisions(rule, some, 0) == 0) & urgent).sum()
        zones = ZONES[np.flatnonzero(site == each.value)]
        assert each.zones["routine"] == {"positives": ((zones == 2) & urgent).sum(), "others": ((zones == 2) & ~urgent).sum()}


def test_numbers_are_told_by_quarters_and_what_is_missing_as_unknown() -> None:
    age = pd.Series([str(20 + row % 56) for row in range(280)] + [""] * 20)
    found = subgroups(SHOWN, pd.DataFrame({"age": age}), [], None, None, bins=5, small_below=30)
    assert sorted(each.value for each in found) == ["20 to 33", "34 to 47", "48 to 61", "62 to 75", "unknown"]
    assert sum(each.images for each in found) == 300
    assert not found[0].rates
    assert not found[0].zones


def test_numbers_without_an_end_are_told_as_they_are() -> None:
    ages = pd.Series([str(row % 15) for row in range(299)] + ["inf"])
    found = subgroups(SHOWN, pd.DataFrame({"age": ages}), [], None, None, bins=5, small_below=30)
    assert {each.value for each in found} == {*map(str, range(15)), "inf"}


@pytest.mark.parametrize("values", [["x"] * 300, [""] * 300])
def test_a_column_of_one_value_tells_no_subgroups_apart(values: list[str]) -> None:
    assert subgroups(SHOWN, pd.DataFrame({"source": values}), RULES, 0, ZONES, 10, 30) == []


def test_of_very_many_values_the_most_frequent_are_told() -> None:
    names = pd.Series([f"site {row % 25}" if row < 200 else "site 3" for row in range(300)])
    found = subgroups(SHOWN, pd.DataFrame({"site": names}), RULES, 0, ZONES, 10, 30)
    assert len(found) == MOST
    assert max(found, key=lambda each: each.images).value == "site 3"
