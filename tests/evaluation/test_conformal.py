"""Conformal sets against crepes, and their coverage on new data."""

import numpy as np
import pytest
from crepes import ConformalClassifier
from hypothesis import given, settings
from hypothesis import strategies as st

from cxr.evaluation.conformal import conformal_sets, conformal_thresholds, evaluate_sets
from tests.evaluation.made import skilled


@given(seed=st.integers(0, 1000), count=st.integers(3, 200), alpha=st.sampled_from([0.05, 0.1, 0.3]))
@settings(max_examples=40)
def test_sets_are_those_of_crepes(seed: int, count: int, alpha: float) -> None:
    validation, test = skilled(seed, count), skilled(seed + 1, 100)
    if len(set(validation.labels)) < 3:
        return
    sets = conformal_sets(test, conformal_thresholds(validation, alpha))
    for index in range(3):  # class-conditional: one conformal predictor a class
        oracle = ConformalClassifier()
        oracle.fit(1 - validation.probabilities[validation.labels == index, index])
        p_values = oracle.predict_p(1 - test.probabilities[:, [index]], smoothing=False)
        np.testing.assert_array_equal(sets[:, index], p_values[:, 0] > alpha + 1e-12)


def test_true_class_is_missed_no_more_often_than_promised() -> None:
    missed = np.zeros(3)
    for seed in range(60):
        validation, test = skilled(seed, 250, skill=1.0), skilled(10_000 + seed, 2000, skill=1.0)
        sets = evaluate_sets(test, conformal_thresholds(validation, 0.1), 0.1)
        missed += [1 - (coverage.value or 0) for coverage in sets.coverage.values()]
    assert (missed / 60 < 0.1 + 0.01).all()  # at least 90 % on average over validation sets
    assert (missed / 60 > 0.05).all()  # and not by saying everything


@pytest.mark.parametrize(("count", "too_few"), [(18, ["covid"]), (19, [])])
def test_class_with_too_few_images_is_in_every_set(count: int, too_few: list[str]) -> None:
    validation, test = skilled(1, 300), skilled(2)
    some = validation.only(np.r_[np.flatnonzero(validation.labels == 0)[:count], np.flatnonzero(validation.labels)])
    thresholds = conformal_thresholds(some, 0.05)
    sets = evaluate_sets(test, thresholds, 0.05)
    assert sets.too_few == too_few
    assert not too_few or sets.coverage["covid"].value == 1
    assert sets.mean_size == pytest.approx(conformal_sets(test, thresholds).sum(axis=1).mean())
