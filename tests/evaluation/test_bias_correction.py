"""Bias correction: it finds shifts that were put in, agrees with logistic regression, and leaves good probabilities alone."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from cxr.evaluation.bias_correction import corrected, fit_bias_correction
from cxr.evaluation.operating_points import choose_rules, decisions
from tests.evaluation.made import distorted, made


def test_shifts_and_temperature_that_were_put_in_are_fitted() -> None:
    fitted = fit_bias_correction(distorted(6000, (1.5, -1.0, -0.5), 0.5, seed=0))
    assert fitted.temperature == pytest.approx(2.0, rel=0.08)
    assert fitted.shifts == pytest.approx((1.5, -1.0, -0.5), abs=0.15)
    assert sum(fitted.shifts) == pytest.approx(0)


def test_correction_of_two_classes_is_logistic_regression_of_the_log_odds() -> None:
    rng = np.random.default_rng(1)
    odds = rng.normal(0, 2, 3000)
    labels = (rng.random(3000) < 1 / (1 + np.exp(-(0.6 * odds + 0.8)))).astype(int)
    p = 1 / (1 + np.exp(-odds))
    fitted = fit_bias_correction(made(labels, np.stack([1 - p, p], axis=1), ("a", "b")))
    oracle = LogisticRegression(C=np.inf, tol=1e-8).fit(odds[:, None], labels)
    assert 1 / fitted.temperature == pytest.approx(float(oracle.coef_[0, 0]), rel=1e-3)
    assert fitted.shifts[1] - fitted.shifts[0] == pytest.approx(float(oracle.intercept_[0]), rel=1e-3)


def test_argmax_that_prefers_a_class_is_mended_on_other_images() -> None:
    """Ranking is as good as before; the most probable class was wrong far more often than it has to be."""
    validation, others = (distorted(800, (2.5, -2.0, -0.5), 1.0, seed) for seed in (2, 3))
    fitted = fit_bias_correction(validation)
    right = [
        (p.argmax(axis=1) == others.labels).mean()
        for p in (others.probabilities, corrected(others.probabilities, fitted.temperature, fitted.shifts))
    ]
    assert right[1] - right[0] > 0.1
    rule = choose_rules(validation, 0, 0.9, 0.9, 1 - np.eye(3, dtype=np.float32), 1.0)[-1]
    assert rule.name == "calibrated"
    assert (decisions(rule, others, 0) == others.labels).mean() == pytest.approx(right[1])
    assert "shifted by COVID +" in rule.in_words


def test_good_probabilities_are_left_alone() -> None:
    fitted = fit_bias_correction(distorted(120, (0.0, 0.0, 0.0), 1.0, seed=5))
    assert (fitted.temperature, fitted.shifts) == (1.0, (0.0, 0.0, 0.0))
    assert "instead of" in fitted.why_not


def test_reason_is_given_where_no_correction_fits() -> None:
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert fit_bias_correction(made(labels, np.eye(3)[labels])).why_not == "all validation images are right"
    lacking = made(labels[:5], np.full((5, 3), 1 / 3))
    assert fit_bias_correction(lacking).why_not == "a class has fewer than two validation images of different groups"


def test_copies_of_validation_images_are_not_left_out_one_by_one() -> None:
    """Six copies of each of 30 images: a correction that fits their noise seems to help the copies that it was not fitted on."""
    few = distorted(30, (0.0, 0.0, 0.0), 1.0, seed=6)
    copies = few.only(np.repeat(np.arange(30), 6))
    assert fit_bias_correction(copies).why_not == ""
    by_group = fit_bias_correction(copies, copies.ids)
    assert by_group.shifts == (0.0, 0.0, 0.0)
    assert "that it was not fitted on" in by_group.why_not
    one = fit_bias_correction(copies, ["patient"] * 180)
    assert one.why_not == "a class has fewer than two validation images of different groups"
