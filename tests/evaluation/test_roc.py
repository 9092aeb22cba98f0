"""Areas under the ROC curve: their intervals against other implementations, and where there is none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from MLstatkit.delong import Delong_test
from scipy.special import expit, logit
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from cxr.evaluation.roc import area_under_roc


def test_auc_of_copies_is_no_surer_than_without_them() -> None:
    rng = np.random.default_rng(3)
    positive = np.arange(120) < 50
    scores = rng.normal(size=120) + positive
    alone, twice = area_under_roc(positive, scores), np.repeat(np.arange(120), 3)
    copies = area_under_roc(positive[twice], scores[twice], [str(place) for place in twice])
    assert copies.known == pytest.approx(alone.known, abs=2e-3)
    assert area_under_roc(positive, scores, [str(place) for place in range(120)]) == alone
    one = area_under_roc(positive, scores, ["patient"] * 120)
    assert (one.low, "of different groups" in one.why_not) == (None, True)
    assert area_under_roc(positive, positive.astype(float), ["patient"] * 120).low == 0


@given(seed=st.integers(0, 10_000), count=st.integers(20, 200), steps=st.sampled_from([8, 10**6]))
def test_variance_of_an_auc_is_that_of_mlstatkit(seed: int, count: int, steps: int) -> None:
    rng = np.random.default_rng(seed)
    positive = np.arange(count) < count // 3
    scores = ((rng.random(count) + 0.3 * positive) * steps).round() / steps
    other = rng.random(count)  # MLstatkit compares two scores; its interval of the first is what is wanted
    _, _, (low, high), _, auc, _, info = Delong_test(positive.astype(int), scores, other)
    area = area_under_roc(positive, scores)
    assert area.value == pytest.approx(roc_auc_score(positive, scores)) == pytest.approx(auc)
    if info["method"] != "delong" or low == 0 or high == 1 or not area.known:
        return  # MLstatkit cuts its interval off at the ends
    spread = (high - low) / 2 / norm.ppf(0.975)
    half = norm.ppf(0.975) * spread / (auc * (1 - auc))
    assert (area.low, area.high) == pytest.approx((expit(logit(auc) - half), expit(logit(auc) + half)), abs=1e-9)


def test_auc_without_a_variance_has_a_careful_interval_or_a_reason() -> None:
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
