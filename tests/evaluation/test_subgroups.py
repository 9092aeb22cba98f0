"""Subgroups: the numbers of exactly those images, worst first, small ones marked."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from cxr.evaluation.estimates import Estimate
from cxr.evaluation.metrics import evaluate
from cxr.evaluation.operating_points import choose_rules, decisions
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.subgroups import MOST, gap_rule, subgroups, worst_group_auc
from tests.evaluation.made import made, skilled

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


def gaps_of(shown: Predictions, columns: pd.DataFrame, groups: list[str] | None = None) -> dict[str, dict[str, Estimate]]:
    found = subgroups(shown, columns, RULES, 0, None, bins=5, small_below=30, groups=groups)
    return {group.name: group.gaps for group in found}


def test_gaps_are_differences_from_the_other_images_at_one_threshold_with_intervals_for_all_together() -> None:
    columns = pd.DataFrame({"sex": np.where(np.arange(300) % 2, "F", "M"), "site": [f"site {row % 3}" for row in range(300)]})
    gaps, positive = gaps_of(SHOWN, columns), SHOWN.labels == 0
    called = decisions(gap_rule(RULES), SHOWN, 0) == 0
    for name, (column, value) in {"sex: F": ("sex", "F"), "site: site 1": ("site", "site 1")}.items():
        own = (columns[column] == value).to_numpy()
        counts = [int((called & positive & among).sum()) for among in (own, ~own)]
        of = [int((positive & among).sum()) for among in (own, ~own)]
        # 3 rates of 1 pair of sexes and 3 sites: Newcombe's interval at 1 - 0.05 / 12
        (p1, l1, u1), (p2, l2, u2) = (
            (count / n, *proportion_confint(count, n, 0.05 / 12, "wilson")) for count, n in zip(counts, of, strict=True)
        )
        ends = p1 - p2 - np.hypot(p1 - l1, u2 - p2), p1 - p2 + np.hypot(u1 - p1, p2 - l2)
        assert gaps[name]["sensitivity"].known == pytest.approx((p1 - p2, *ends))
        auc = [roc_auc_score(positive[among], SHOWN.probabilities[among, 0]) for among in (own, ~own)]
        assert gaps[name]["auc"].value == pytest.approx(auc[0] - auc[1])
    assert gaps["sex: F"]["specificity"].value == pytest.approx(-(gaps["sex: M"]["specificity"].value or 0))


def test_worst_group_is_that_of_the_lowest_macro_auc_which_is_large_enough_and_has_every_class() -> None:
    sites = np.where(np.arange(300) < 100, "a", np.where(np.arange(300) < 280, "b", "small"))
    columns = pd.DataFrame({"site": sites, "only COVID": np.where(SHOWN.labels == 0, "yes", "no")})
    expected = [
        np.mean([roc_auc_score(SHOWN.labels[rows] == k, SHOWN.probabilities[rows, k]) for k in range(3)])
        for rows in (sites == "a", sites == "b")
    ]
    worst = worst_group_auc(SHOWN, columns, 30)
    assert worst is not None
    assert worst.value == pytest.approx(min(expected))
    assert worst_group_auc(SHOWN, columns[["only COVID"]], 30) is None


def test_chance_shows_a_gap_in_one_report_of_twenty_at_most() -> None:
    """Patients of two images lie on one side; the family is all rates of all groups of a report."""
    shown = 0
    for seed in range(60):
        rng, predictions = np.random.default_rng(seed), skilled(seed, 400)
        of_patient = rng.permutation(np.arange(400) // 2)
        columns = pd.DataFrame({"sex": rng.choice(["F", "M"], 200)[of_patient], "site": rng.choice(list("abcd"), 200)[of_patient]})
        found = subgroups(predictions, columns, RULES, 0, None, 5, 30, [str(number) for number in of_patient])
        shown += any(group.shown_gaps for group in found)
    assert shown <= 6  # 3 of 60, and twice the standard error


def test_planted_gap_is_shown_and_no_other() -> None:
    """A fifth of the images, whose scores carry less, has a lower AUC; without a positive class the gap is of accuracy."""
    weak, strong = skilled(3, 400, skill=0.3), skilled(4, 1600, skill=2.5)
    both = made(np.concatenate([weak.labels, strong.labels]), np.concatenate([weak.probabilities, strong.probabilities]))
    columns = pd.DataFrame({"view": ["AP"] * 400 + ["PA"] * 1600, "sex": np.where(np.arange(2000) % 2, "F", "M")})
    found = {group.name: group for group in subgroups(both, columns, RULES, 0, None, 5, 30)}
    assert (found["view: AP"].shown_gaps["auc"].value or 0) < -0.1
    assert not found["sex: F"].shown_gaps
    without = {group.name: group for group in subgroups(both, columns, [], None, None, 5, 30)}
    assert (without["view: AP"].shown_gaps["accuracy"].value or 0) < -0.1
