"""Intervals against statsmodels and MLstatkit, and the reasons for missing ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from MLstatkit.delong import Delong_test
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from cxr.evaluation.estimates import FISHER, LOG, LOGIT, Estimate, area_under_roc, proportion, wilson_interval, with_interval


@given(trials=st.integers(1, 3000), share=st.floats(0, 1))
def test_wilson_intervals_are_those_of_statsmodels(trials: int, share: float) -> None:
    successes = round(share * trials)
    found = proportion(successes, trials, "")
    assert (found.value, found.count, found.of) == (successes / trials, successes, trials)
    assert (found.low, found.high) == pytest.approx(proportion_confint(successes, trials, method="wilson"), abs=1e-9)


def test_a_wilson_interval_from_the_literature() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 0) == (0, 1)


@given(seed=st.integers(0, 10_000), count=st.integers(20, 200), steps=st.sampled_from([8, 10**6]))
def test_the_variance_of_an_auc_is_that_of_mlstatkit(seed: int, count: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    positive = np.arange(count) < count // 3
    scores = ((rng.random(count) + 0.3 * positive) * steps).round() / steps
    other = rng.random(count)  # MLstatkit compares two scores; its interval of the first is what is wanted
    _, _, (low, high), _, auc, _, info = Delong_test(positive.astype(int), scores, other)
    found = area_under_roc(positive, scores)
    assert found.value == pytest.approx(roc_auc_score(positive, scores)) == pytest.approx(auc)
    if info["method"] != "delong" or low == 0 or high == 1 or found.low is None or found.high is None:
        return  # MLstatkit cuts its interval off at the ends
    spread = (high - low) / 2 / norm.ppf(0.975)
    half = norm.ppf(0.975) * spread / (auc * (1 - auc))
    assert (found.low, found.high) == pytest.approx((expit(logit(auc) - half), expit(logit(auc) + half)), abs=1e-9)


def test_an_auc_without_a_variance_has_a_careful_interval_or_a_reason() -> None:
    positive = np.array([True] * 10 + [False] * 30)
    perfect = area_under_roc(positive, positive.astype(float))
    assert (perfect.low, perfect.high) == pytest.approx(proportion_confint(10, 10, method="wilson"))
    assert perfect.value == 1
    assert area_under_roc(positive, 1.0 - positive).high == pytest.approx(proportion_confint(0, 10, method="wilson")[1])
    tied = area_under_roc(positive, np.zeros(40))
    assert (tied.value, tied.low, tied.why_not) == (0.5, None, "the scores tie, so DeLong's variance is 0")
    one = area_under_roc(np.arange(40) == 20, np.arange(40) / 40)
    assert one.value is not None
    assert "two images" in one.why_not
    assert area_under_roc(np.zeros(3, bool), np.arange(3.0)).why_not == "no image is of this class"
    assert area_under_roc(np.ones(3, bool), np.arange(3.0)).why_not == "every image is of this class"


@pytest.mark.parametrize(("scale", "value"), [(LOGIT, 0.9), (FISHER, -0.4), (LOG, 2.0)])
def test_an_interval_of_resamples_is_the_delta_method_on_its_scale(scale: object, value: float) -> None:
    drawn = np.random.default_rng(0).normal(value, 0.01, 5000)  # so narrow that every scale is about straight
    found = with_interval(Estimate(value), drawn, scale)  # type: ignore[arg-type]
    assert found.low == pytest.approx(value - 1.96 * 0.01, abs=2e-3)
    assert found.high == pytest.approx(value + 1.96 * 0.01, abs=2e-3)


def test_resamples_that_say_nothing_give_no_interval() -> None:
    assert "lack a class" in with_interval(Estimate(0.5), np.array([0.4, 0.6, np.nan] * 100), LOGIT).why_not
    assert "end of its range" in with_interval(Estimate(1.0), np.ones(100), LOGIT).why_not
    assert with_interval(Estimate(None, why_not="no image"), np.ones(100), LOGIT).why_not == "no image"
