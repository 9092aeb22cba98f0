"""Slope and intercept against logistic regressions of another library."""

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from cxr.evaluation.recalibration import class_calibration, recalibration


@pytest.mark.parametrize("seed", range(4))
def test_slope_and_intercept_are_those_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 2, 300)
    truth = rng.random(300) < expit(0.6 * logit(p) + 0.3)
    slope, intercept = recalibration(p, truth)
    with_slope = sm.GLM(truth, sm.add_constant(logit(p)), family=sm.families.Binomial()).fit()
    offset = sm.GLM(truth, np.ones(300), family=sm.families.Binomial(), offset=logit(p)).fit()
    for found, result, row in ((slope, with_slope, 1), (intercept, offset, 0)):
        assert found.value == pytest.approx(result.params[row], abs=1e-5)
        assert (found.low, found.high) == pytest.approx(tuple(result.conf_int()[row]), abs=1e-4)


def test_calibrated_probabilities_have_slope_1_and_intercept_0() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    found = class_calibration(p, rng.random(20_000) < p, 15)
    assert found.slope.value == pytest.approx(1, abs=0.05)
    assert found.intercept.value == pytest.approx(0, abs=0.05)
    assert found.ece < 0.02
    assert len(found.bins) == 15


def test_there_is_a_reason_where_there_is_no_slope() -> None:
    p, truth = np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])
    slope, intercept = recalibration(p, truth)
    assert "separate the images without error" in slope.why_not
    assert intercept.value is not None
    slope, intercept = recalibration(p, np.zeros(4, bool))
    assert slope.why_not == intercept.why_not == "no image is of this class"
