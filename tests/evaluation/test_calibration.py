"""Calibration against known temperatures, scikit-learn, and bins by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import brier_score_loss, log_loss

from cxr.evaluation.calibration import calibration, fit_temperature, reliability, scaled
from cxr.evaluation.predictions import Predictions
from tests.evaluation.made import CLASSES, any_predictions, made, skilled


def calibrated(count: int, temperature: float) -> Predictions:
    """Labels drawn from probabilities, which are then told with logits multiplied by `temperature`: dividing by it is right."""
    rng = np.random.default_rng(7)
    logits = rng.normal(size=(count, 3)) * 1.5
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (p.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1)
    told = np.exp(logits * temperature)
    return made(labels, told / told.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_a_known_temperature_is_found_and_mends_what_it_spoiled(temperature: float) -> None:
    told = calibrated(20_000, temperature)
    found = fit_temperature(told)
    assert found.value == pytest.approx(temperature, rel=0.05)
    after = calibration(scaled(told, found.value), 15)
    assert after.ece < 0.015
    assert after.class_ece_mean < 0.015
    before = calibration(told, 15)
    assert after.nll <= before.nll + 1e-9
    if temperature != 1:
        assert before.ece > 0.05


@given(predictions=any_predictions(), temperature=st.floats(0.1, 10))
def test_a_temperature_changes_no_decision(predictions: Predictions, temperature: float) -> None:
    after = scaled(predictions, temperature)
    assert after.probabilities.sum(axis=1) == pytest.approx(1)
    best = predictions.probabilities.max(axis=1)
    chosen = predictions.probabilities[np.arange(len(best)), after.predicted]
    assert chosen == pytest.approx(best)  # the same class, or one that ties with it


def test_brier_and_likelihood_are_those_of_scikit_learn() -> None:
    shown = skilled(2)
    found = calibration(shown, 10)
    labels = np.array(CLASSES)[shown.labels]
    assert found.brier == pytest.approx(brier_score_loss(labels, shown.probabilities, labels=CLASSES, scale_by_half=False))
    assert found.nll == pytest.approx(log_loss(shown.labels, shown.probabilities))


def test_bins_by_hand_have_equally_many_images_and_part_no_ties() -> None:
    p = np.array([0.1, 0.2, 0.6, 0.7, 0.9, 0.9])
    true = np.array([False, True, True, False, True, True])
    bins = reliability(p, true, 3)
    assert [each.probability for each in bins] == pytest.approx([0.15, 0.65, 0.9])
    assert [(each.share.value, each.share.of) for each in bins] == [(0.5, 2), (0.5, 2), (1.0, 2)]
    (one,) = reliability(np.full(9, 0.4), np.arange(9) < 3, 4)
    assert one.share.value == pytest.approx(1 / 3)
    assert len(reliability(np.random.default_rng(0).random(1000), np.ones(1000, bool), 15)) == 15


def test_the_error_is_the_mean_gap_weighted_by_images() -> None:
    shown = skilled(3, 400)
    top, right = shown.probabilities.max(axis=1), shown.predicted == shown.labels
    order = np.argsort(top)  # no ties, so bins are consecutive images
    by_hand = sum(abs(right[part].mean() - top[part].mean()) * len(part) / 400 for part in np.array_split(order, 10))
    assert calibration(shown, 10).ece == pytest.approx(by_hand)


@pytest.mark.parametrize("count", [1, 5, 50])
def test_perfect_predictions_leave_the_temperature_at_1_with_a_reason(count: int) -> None:
    labels = np.arange(count) % 3
    found = fit_temperature(made(labels, np.eye(3)[labels] * 0.97 + 0.01))
    assert found.value == 1
    assert "all validation images are right" in found.why_not
    wrong = fit_temperature(made((labels + 1) % 3, np.eye(3)[labels] * 0.97 + 0.01))
    assert (wrong.value, "end of the range" in wrong.why_not) == (1, True)


def test_copies_of_validation_images_do_not_make_a_temperature_look_helpful() -> None:
    """Of 24 images, six copies each: left out one by one, their copies have been fitted on."""
    few = skilled(8, 24)
    copies = few.only(np.repeat(np.arange(24), 6))
    assert fit_temperature(copies).value != 1
    assert fit_temperature(copies, copies.ids).why_not.startswith("not applied: on validation images that it was not fitted on")
    assert fit_temperature(copies, ["patient"] * 144).why_not.startswith("all validation images are of one group")
    assert fit_temperature(few, few.ids) == fit_temperature(few)
