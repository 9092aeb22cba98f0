"""The linear probe: chance where there is nothing, no leak between groups, the AUC of scikit-learn, reasons in place of numbers."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from cxr.audit.probe import (
    Target,
    above_chance_retained,
    auc_draws,
    cross_region_probabilities,
    macro_auc,
    out_of_fold_probabilities,
)

RNG = np.random.default_rng(0)
LABELS = np.arange(150) % 3
TARGET = Target(LABELS, [str(row) for row in range(150)])


def features(strength: float) -> np.ndarray:
    return np.asarray(strength * np.eye(3)[LABELS] @ np.ones((3, 8)) * LABELS[:, None] + RNG.normal(size=(150, 8)))


def test_it_tells_what_is_there_and_nothing_else() -> None:
    assert (macro_auc(out_of_fold_probabilities(features(3), TARGET), TARGET).low or 0) > 0.9
    blind = macro_auc(out_of_fold_probabilities(features(0), TARGET), TARGET)
    assert (blind.low or 0) < 0.5 < (blind.high or 1)


def test_groups_stay_together() -> None:
    """Features that name the group tell nothing of the class of another group."""
    groups = [str(row // 5) for row in range(150)]
    labels = np.repeat(np.arange(30) % 3, 5)
    names = np.eye(30)[np.arange(150) // 5]
    target = Target(labels, groups)
    assert (macro_auc(out_of_fold_probabilities(names, target), target).value or 1) < 0.65


def test_the_auc_is_that_of_scikit_learn() -> None:
    found = out_of_fold_probabilities(features(0.3), TARGET)
    expected = roc_auc_score(LABELS, found / found.sum(axis=1, keepdims=True), multi_class="ovr")
    assert auc_draws(found, TARGET)[0] == pytest.approx(expected)


def test_a_probe_of_one_view_is_asked_about_another() -> None:
    views = {"seen": features(3), "blind": features(0)}
    found = {pair: macro_auc(each, TARGET).value or 0 for pair, each in cross_region_probabilities(views, TARGET).items()}
    assert found["seen", "seen"] > 0.9
    assert max(found["seen", "blind"], found["blind", "seen"]) < 0.7


def test_the_share_that_is_left() -> None:
    whole = np.array([0.9, 0.88, 0.92])
    assert above_chance_retained(whole, whole).value == 1
    assert above_chance_retained(np.array([0.7, 0.7, 0.7]), whole).value == pytest.approx(0.5)
    assert "hardly better than chance" in above_chance_retained(whole, np.array([0.52, 0.5, 0.6])).why_not


@pytest.mark.parametrize(
    ("labels", "reason"),
    [(np.zeros(20, int), "one class"), (np.array([0] * 19 + [1]), "needs 10"), (np.zeros(0, int), "one class")],
)
def test_too_little_has_a_reason(labels: np.ndarray, reason: str) -> None:
    target = Target(labels, [str(row) for row in range(len(labels))])
    found = macro_auc(np.zeros((len(labels), 2)), target)
    assert found.value is None
    assert reason in found.why_not


def test_images_that_are_all_alike_tell_nothing() -> None:
    assert macro_auc(out_of_fold_probabilities(np.ones((150, 4)), TARGET), TARGET).value == pytest.approx(0.5)


def test_shuffled_labels_keep_groups_whole() -> None:
    groups = [str(row // 5) for row in range(150)]
    labels = np.repeat(np.arange(30) % 3, 5)
    found = Target(labels, groups).shuffled(seed=1)
    assert sorted(found.labels) == sorted(labels)
    assert all(len(set(found.labels[start : start + 5])) == 1 for start in range(0, 150, 5))
    assert (found.labels != labels).any()
