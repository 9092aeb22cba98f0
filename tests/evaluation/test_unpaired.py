"""The difference between two samples, against Newcombe's interval of another library."""

import pytest
from statsmodels.stats.proportion import confint_proportions_2indep

from cxr.evaluation.estimates import Estimate, proportion
from cxr.evaluation.unpaired import unpaired_difference


@pytest.mark.parametrize(("first", "second"), [((90, 100), (60, 80)), ((10, 10), (3, 7)), ((0, 40), (5, 50))])
def test_proportions_have_newcombes_interval(first: tuple[int, int], second: tuple[int, int]) -> None:
    found = unpaired_difference(proportion(*first, ""), proportion(*second, ""))
    expected = confint_proportions_2indep(*second, *first, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.value == pytest.approx(second[0] / second[1] - first[0] / first[1])


def test_without_a_value_or_an_interval_there_is_a_reason() -> None:
    assert unpaired_difference(Estimate(None, why_not="no image"), Estimate(0.5, 0.4, 0.6)).why_not == "no image"
    half = unpaired_difference(Estimate(0.4, why_not="no interval"), Estimate(0.5, 0.4, 0.6))
    assert half.value == pytest.approx(0.1)
    assert (half.low, half.why_not) == (None, "no interval")
