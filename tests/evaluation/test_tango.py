"""The paired difference of proportions, against the score test inverted with a constrained likelihood maximum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar
from statsmodels.stats.contingency_tables import mcnemar

from cxr.evaluation.effective_size import design_effect
from cxr.evaluation.tango import paired_proportions


def score_by_likelihood(gained: int, lost: int, of: int, difference: float) -> float:
    """Tango's statistic; the nuisance parameter is found by maximising the trinomial likelihood, not by his formula."""
    least = max(0.0, -difference)

    def negative(only_first: float) -> float:
        p = np.clip([only_first + difference, only_first, 1 - 2 * only_first - difference], 1e-300, 1)
        return -float(np.array([gained, lost, of - gained - lost]) @ np.log(p))

    most = (1 - difference) / 2
    found = minimize_scalar(negative, bounds=(least, most), method="bounded", options={"xatol": 1e-13}).x
    return float((gained - lost - of * difference) / np.sqrt(of * (2 * found + difference - difference**2)))


@pytest.mark.parametrize(("gained", "lost", "of"), [(12, 2, 50), (3, 9, 40), (1, 0, 30), (20, 18, 400), (5, 5, 16)])
def test_interval_inverts_the_score_test(gained: int, lost: int, of: int) -> None:
    low, high, _ = paired_proportions(gained, lost, of)
    seen = (gained - lost) / of
    for end, at, outer in ((low, 1.959964, -0.98), (high, -1.959964, 0.98)):
        root = brentq(lambda end, at=at: score_by_likelihood(gained, lost, of, end) - at, outer, seen + np.sign(outer) * 1e-6)
        assert end == pytest.approx(root, abs=1e-4)


@settings(max_examples=100)
@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 200))
def test_test_is_mcnemars(gained: int, lost: int, alike: int) -> None:
    if gained + lost == 0:
        return
    expected = mcnemar([[alike, gained], [lost, 0]], exact=False, correction=False).pvalue
    low, high, p_value = paired_proportions(gained, lost, gained + lost + alike)
    assert p_value == pytest.approx(expected)
    assert (low > 0 or high < 0) == (p_value < 0.05)


def test_no_disagreement_still_has_an_interval() -> None:
    low, high, p_value = paired_proportions(0, 0, 16)
    assert (low, high) == pytest.approx((-0.1936, 0.1936), abs=1e-4)  # z^2 / (n + z^2)
    assert p_value == 1


def test_interval_covers_the_true_difference() -> None:
    rng, inside = np.random.default_rng(0), 0
    for _ in range(600):
        gained, lost, _ = rng.multinomial(60, [0.15, 0.05, 0.8])
        low, high, _ = paired_proportions(gained, lost, 60)
        inside += low <= 0.1 <= high
    assert 0.925 <= inside / 600 <= 0.975


def test_copies_add_nothing() -> None:
    values = np.array([1.0, 0, 0, -1, 0, 1, 0])
    assert design_effect(values, np.arange(7)) == 1
    assert design_effect(np.tile(values, 3), np.tile(np.arange(7), 3)) == pytest.approx(3)
    assert design_effect(np.zeros(12), np.arange(12) // 4) == 4
