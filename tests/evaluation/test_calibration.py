"""Calibration against known temperatures, scikit-learn, bins by hand, and logistic regressions of statsmodels."""

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss, log_loss

from cxr.evaluation.calibration import calibration, fit_temperature, reliability, scaled
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.recalibration import class_calibration, recalibration
from tests.evaluation.made import CLASSES, any_predictions, distorted, made, skilled


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_known_temperature_is_fitted_and_mends_what_it_spoiled(temperature: float) -> None:
    shown = distorted(20_000, (0.0, 0.0, 0.0), 1 / temperature, seed=7)
    fitted = fit_temperature(shown)
    assert fitted.value == pytest.approx(temperature, rel=0.05)
    before, after = calibration(shown, 15), calibration(scaled(shown, fitted.value), 15)
    assert max(after.ece, after.class_ece_mean) < 0.015
    assert after.nll <= before.nll + 1e-9
    assert temperature == 1 or before.ece > 0.05


@given(predictions=any_predictions(), temperature=st.floats(0.1, 10))
def test_temperature_changes_no_decision(predictions: Predictions, temperature: float) -> None:
    after = scaled(predictions, temperature)
    assert after.probabilities.sum(axis=1) == pytest.approx(1)
    best = predictions.probabilities.max(axis=1)
    chosen = predictions.probabilities[np.arange(len(best)), after.predicted]
    assert chosen == pytest.approx(best)  # the same class, or one that ties with it


def test_brier_and_likelihood_are_those_of_scikit_learn() -> None:
    shown = skilled(2)
    whole, labels = calibration(shown, 10), np.array(CLASSES)[shown.labels]
    assert whole.brier == pytest.approx(brier_score_loss(labels, shown.probabilities, labels=CLASSES, scale_by_half=False))
    assert whole.nll == pytest.approx(log_loss(shown.labels, shown.probabilities))


def test_bins_by_hand_have_equally_many_images_and_part_no_ties() -> None:
    p = np.array([0.1, 0.2, 0.6, 0.7, 0.9, 0.9])
    true = np.array([False, True, True, False, True, True])
    bins = reliability(p, true, 3)
    assert [row.probability for row in bins] == pytest.approx([0.15, 0.65, 0.9])
    assert [(row.share.value, row.share.of) for row in bins] == [(0.5, 2), (0.5, 2), (1.0, 2)]
    (one,) = reliability(np.full(9, 0.4), np.arange(9) < 3, 4)
    assert one.share.value == pytest.approx(1 / 3)
    assert len(reliability(np.random.default_rng(0).random(1000), np.ones(1000, bool), 15)) == 15


def test_error_is_the_mean_gap_weighted_by_images() -> None:
    shown = skilled(3, 400)
    top, right = shown.probabilities.max(axis=1), shown.predicted == shown.labels
    order = np.argsort(top)  # no ties, so bins are consecutive images
    by_hand = sum(abs(right[part].mean() - top[part].mean()) * len(part) / 400 for part in np.array_split(order, 10))
    assert calibration(shown, 10).ece == pytest.approx(by_hand)


@pytest.mark.parametrize("count", [1, 5, 50])
def test_perfect_predictions_leave_the_temperature_at_1_with_a_reason(count: int) -> None:
    labels = np.arange(count) % 3
    right = fit_temperature(made(labels, np.eye(3)[labels] * 0.97 + 0.01))
    assert (right.value, "all validation images are right" in right.why_not) == (1, True)
    wrong = fit_temperature(made((labels + 1) % 3, np.eye(3)[labels] * 0.97 + 0.01))
    assert (wrong.value, "end of the range" in wrong.why_not) == (1, True)
    tie = fit_temperature(made(np.array([2]), np.array([[0.0, 0.5, 0.5]])))
    assert (tie.value, "one validation image" in tie.why_not) == (1, True)


def test_copies_of_validation_images_do_not_make_a_temperature_look_helpful() -> None:
    """Of 24 images, six copies each: left out one by one, their copies have been fitted on."""
    few = skilled(8, 24)
    copies = few.only(np.repeat(np.arange(24), 6))
    assert fit_temperature(copies).value != 1
    assert fit_temperature(copies, copies.ids).why_not.startswith("not applied: on validation images that it was not fitted on")
    assert fit_temperature(copies, ["patient"] * 144).why_not.startswith("all validation images are of one group")
    assert fit_temperature(few, few.ids) == fit_temperature(few)


@pytest.mark.parametrize("seed", range(4))
def test_slope_and_intercept_are_those_of_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 2, 300)
    truth = rng.random(300) < expit(0.6 * logit(p) + 0.3)
    slope, intercept = recalibration(p, truth)
    with_slope = sm.GLM(truth, sm.add_constant(logit(p)), family=sm.families.Binomial()).fit()
    offset = sm.GLM(truth, np.ones(300), family=sm.families.Binomial(), offset=logit(p)).fit()
    for estimate, fit, row in ((slope, with_slope, 1), (intercept, offset, 0)):
        assert estimate.known == pytest.approx((fit.params[row], *fit.conf_int()[row]), abs=1e-4)


def test_calibrated_probabilities_have_slope_1_and_intercept_0() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    of_class = class_calibration(p, rng.random(20_000) < p, 15)
    assert (of_class.slope.value, of_class.intercept.value) == pytest.approx((1, 0), abs=0.05)
    assert of_class.ece < 0.02
    assert len(of_class.bins) == 15


def test_missing_slope_has_a_reason() -> None:
    p, truth = np.array([0.1, 0.2, 0.8, 0.9]), np.array([False, False, True, True])
    slope, intercept = recalibration(p, truth)
    assert "separate the images without error" in slope.why_not
    assert intercept.value is not None
    slope, intercept = recalibration(p, np.zeros(4, bool))
    assert slope.why_not == intercept.why_not == "no image is of this class"
