"""The linear probe: chance where there is nothing, no leak between groups, the AUC of scikit-learn, reasons in place of numbers."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr.audit.linear_probe import (
    REFIT,
    Target,
    above_chance_retained,
    auc_draws,
    macro_auc,
    out_of_fold_probabilities,
    probe_auc,
)
from cxr.evaluation.estimates import Z

RNG = np.random.default_rng(0)
LABELS = np.arange(150) % 3
TARGET = Target(LABELS, [str(row) for row in range(150)])


def features(strength: float) -> np.ndarray:
    return np.asarray(strength * np.eye(3)[LABELS] @ np.ones((3, 8)) * LABELS[:, None] + RNG.normal(size=(150, 8)))


def test_auc_is_high_with_signal_and_chance_without() -> None:
    assert (probe_auc(features(3), TARGET).low or 0) > 0.9
    blind = probe_auc(features(0), TARGET)
    assert (blind.low or 0) < 0.5 < (blind.high or 1)


GROUPED = Target(np.repeat(np.arange(30) % 3, 5), [str(row // 5) for row in range(150)])


def test_error_of_an_interval_and_of_fits_is_the_spread_on_noise() -> None:
    target = Target(LABELS[:60], [str(row) for row in range(60)])
    aucs = [probe_auc(noise, target) for noise in np.random.default_rng(1).normal(size=(40, 60, 3))]
    errors = [((auc.high or 1) - (auc.low or 0)) / (2 * Z) for auc in aucs]
    scores = [((auc.value or 0) - 0.5) / error for auc, error in zip(aucs, errors, strict=True)]
    assert np.std(scores) == pytest.approx(REFIT, rel=0.2)


def test_features_that_name_the_group_predict_no_class() -> None:
    assert (probe_auc(np.eye(30)[np.arange(150) // 5], GROUPED).value or 1) < 0.65


def test_auc_is_that_of_scikit_learn() -> None:
    probabilities = out_of_fold_probabilities(features(0.3), TARGET)
    expected = roc_auc_score(LABELS, probabilities / probabilities.sum(axis=1, keepdims=True), multi_class="ovr")
    assert auc_draws(probabilities, TARGET)[0] == pytest.approx(expected)


def test_retained_share() -> None:
    whole = np.array([0.9, 0.88, 0.92])
    assert above_chance_retained(whole, whole).value == 1
    assert above_chance_retained(np.array([0.7, 0.7, 0.7]), whole).value == pytest.approx(0.5)
    assert "hardly better than chance" in above_chance_retained(whole, np.array([0.52, 0.5, 0.6])).why_not


@pytest.mark.parametrize(
    ("labels", "reason"),
    [(np.zeros(20, int), "one class"), (np.array([0] * 19 + [1]), "needs 10"), (np.zeros(0, int), "one class")],
)
def test_too_few_groups_have_a_reason(labels: np.ndarray, reason: str) -> None:
    target = Target(labels, [str(row) for row in range(len(labels))])
    for auc in (macro_auc(np.zeros((len(labels), 2)), target), probe_auc(np.zeros((len(labels), 2)), target)):
        assert auc.value is None
        assert reason in auc.why_not


def test_equal_images_have_an_auc_of_chance() -> None:
    assert probe_auc(np.ones((150, 4)), TARGET).value == pytest.approx(0.5)


def test_shuffled_labels_keep_groups_whole() -> None:
    labels = GROUPED.shuffled(seed=1).labels
    assert sorted(labels) == sorted(GROUPED.labels)
    assert (labels.reshape(-1, 5) == labels[::5, None]).all()
    assert (labels != GROUPED.labels).any()
