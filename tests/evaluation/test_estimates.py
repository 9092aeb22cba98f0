"""Intervals against statsmodels and MLstatkit, and the reasons for missing ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binomtest
from statsmodels.api import OLS
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from cxr.evaluation.effective_size import design_effect
from cxr.evaluation.estimates import (
    FISHER,
    LOG,
    LOGIT,
    Estimate,
    Scale,
    proportion,
    proportion_among,
    unpaired_difference,
    wilson_interval,
    with_interval,
)


@given(trials=st.integers(1, 3000), share=st.floats(0, 1))
def test_wilson_intervals_are_those_of_statsmodels(trials: int, share: float) -> None:
    successes = round(share * trials)
    share_of = proportion(successes, trials, "")
    assert (share_of.value, share_of.count, share_of.of) == (successes / trials, successes, trials)
    assert (share_of.low, share_of.high) == pytest.approx(proportion_confint(successes, trials, method="wilson"), abs=1e-9)


def test_wilson_interval_is_that_of_the_literature() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 0) == (0, 1)


def of_groups(right: NDArray[np.bool_], members: NDArray[np.int64]) -> Estimate:
    return proportion_among(right, np.ones(len(right), bool), [f"patient {number}" for number in members], "")


@given(successes=st.integers(0, 200), others=st.integers(0, 200))
def test_interval_of_one_image_a_group_is_wilsons_to_the_bit(successes: int, others: int) -> None:
    right = np.arange(successes + others) < successes
    share = of_groups(right, np.arange(len(right))[::-1])
    assert share == proportion(successes, len(right), "")
    if len(right):
        expected = binomtest(successes, len(right)).proportion_ci(0.95, method="wilson")
        assert (share.low, share.high) == (expected.low, expected.high)


def test_design_effect_is_the_ratio_of_cluster_robust_to_plain_variance() -> None:
    rng = np.random.default_rng(0)
    members = rng.integers(0, 30, 200)
    right = (rng.random(200) < rng.beta(2, 1, 30)[members]).astype(float)
    robust = OLS(right, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": members, "use_correction": False})
    assert design_effect(right, members) == pytest.approx(float(robust.bse[0]) ** 2 / (right.var() / 200))
    assert design_effect(right, members) > 1.2


@pytest.mark.parametrize(("share", "alike"), [(0.8, 0.3), (0.95, 0.3), (0.95, 1.0)])
@pytest.mark.parametrize(("groups", "sizes"), [(20, [4]), (60, [1, 2, 5]), (40, [1, 1, 1, 20])])
def test_intervals_cover_where_images_of_a_patient_are_alike(share: float, alike: float, groups: int, sizes: list[int]) -> None:
    """Beta-binomial images of patients whose own rates correlate by `alike`; Wilson's interval for independent images fails."""
    rng, held, plain = np.random.default_rng(1), 0, 0
    for _ in range(400):
        of_patient = rng.choice(sizes, groups)
        scale = (1 - alike) / alike
        own = rng.beta(share * scale, (1 - share) * scale, groups) if alike < 1 else rng.random(groups) < share
        members = np.repeat(np.arange(groups), of_patient)
        right = rng.random(len(members)) < own[members]
        known, (low, high) = of_groups(right, members).known, wilson_interval(int(right.sum()), len(right))
        assert known
        held, plain = held + (known[1] <= share <= known[2]), plain + (low <= share <= high)
    assert held / 400 >= 0.925
    assert plain / 400 < 0.9


def test_single_patient_shows_nothing_of_others_and_all_right_counts_patients() -> None:
    right = np.ones(80, bool)
    one = of_groups(right, np.zeros(80, int))
    assert (one.value, one.count, one.of, one.low, one.high) == (1.0, 80, 80, 0.0, 1.0)
    assert of_groups(np.arange(80) > 0, np.zeros(80, int)).low == 0
    twenty = np.arange(80) // 4
    assert of_groups(right, twenty).low == pytest.approx(proportion_confint(20, 20, method="wilson")[0])
    assert of_groups(~right, twenty).high == pytest.approx(proportion_confint(0, 20, method="wilson")[1])
    worse = of_groups(np.arange(80) > 0, twenty).known  # one error says nothing of how alike images are
    assert worse
    assert worse[1] <= (of_groups(right, twenty).low or 0)


@pytest.mark.parametrize(("scale", "value"), [(LOGIT, 0.9), (FISHER, -0.4), (LOG, 2.0)])
def test_interval_of_resamples_is_the_delta_method_on_its_scale(scale: Scale, value: float) -> None:
    drawn = np.random.default_rng(0).normal(value, 0.01, 5000)  # so narrow that every scale is about straight
    estimate = with_interval(Estimate(value), drawn, scale)
    assert estimate.known == pytest.approx((value, value - 1.96 * 0.01, value + 1.96 * 0.01), abs=2e-3)


def test_resamples_without_a_spread_give_no_interval() -> None:
    assert "lack a class" in with_interval(Estimate(0.5), np.array([0.4, 0.6, np.nan] * 100), LOGIT).why_not
    assert "end of its range" in with_interval(Estimate(1.0), np.ones(100), LOGIT).why_not
    assert with_interval(Estimate(None, why_not="no image"), np.ones(100), LOGIT).why_not == "no image"


@pytest.mark.parametrize(("first", "second"), [((90, 100), (60, 80)), ((10, 10), (3, 7)), ((0, 40), (5, 50))])
def test_unpaired_difference_of_proportions_has_newcombes_interval(first: tuple[int, int], second: tuple[int, int]) -> None:
    difference = unpaired_difference(proportion(*first, ""), proportion(*second, ""))
    expected = confint_proportions_2indep(*second, *first, method="newcomb", compare="diff")
    assert difference.known == pytest.approx((second[0] / second[1] - first[0] / first[1], *expected))


def test_unpaired_difference_without_a_value_or_an_interval_has_a_reason() -> None:
    assert unpaired_difference(Estimate(None, why_not="no image"), Estimate(0.5, 0.4, 0.6)).why_not == "no image"
    half = unpaired_difference(Estimate(0.4, why_not="no interval"), Estimate(0.5, 0.4, 0.6))
    assert half.value == pytest.approx(0.1)
    assert (half.low, half.why_not) == (None, "no interval")
