"""The bootstrap: weights are repetitions, groups stay whole, and each statistic equals scikit-learn's."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from cxr.evaluation.metrics import evaluate
from cxr.evaluation.resampling import areas, resampled, statistic_names, statistics_of
from tests.evaluation.made import CLASSES, skilled


def test_statistics_are_those_of_evaluate() -> None:
    shown = skilled(1, 120)
    values = dict(zip(statistic_names(CLASSES), statistics_of(shown)(np.ones((1, 120)))[:, 0], strict=True))
    expected = evaluate(shown).numbers
    assert values == pytest.approx({name: expected[name] for name in values})


@given(seed=st.integers(0, 10_000), count=st.integers(4, 40))
@settings(max_examples=60)
def test_weight_is_a_repetition(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    positive, scores, times = rng.random(count) < 0.5, rng.integers(0, 5, count) / 4, rng.integers(0, 4, count)
    repeated, repeated_scores = np.repeat(positive, times), np.repeat(scores, times)
    auc, auprc = (area[0] for area in areas(positive, scores, times[None].astype(float)))
    if repeated.all() or not repeated.any():
        assert np.isnan([auc, auprc]).all()
    else:
        assert auc == pytest.approx(oracle.roc_auc_score(repeated, repeated_scores))
        assert auprc == pytest.approx(oracle.average_precision_score(repeated, repeated_scores))


def test_all_statistics_of_a_resample_are_those_of_the_repeated_images() -> None:
    shown = skilled(3, 80)
    times = np.random.default_rng(1).integers(0, 3, 80)
    again = shown.only(np.repeat(np.arange(80), times))
    values = dict(zip(statistic_names(CLASSES), statistics_of(shown)(times[None].astype(float))[:, 0], strict=True))
    assert values == pytest.approx({name: value for name, value in evaluate(again).numbers.items() if name in values})


def test_groups_are_drawn_whole_as_many_as_there_are_and_the_same_for_a_seed() -> None:
    groups = ["a", "b", "a", "c", "b", "a"]
    drawn = resampled(lambda weights: weights.T, groups, 500, seed=3)
    assert drawn.shape == (6, 500)
    assert (drawn[[0, 0, 1]] == drawn[[2, 5, 4]]).all()
    assert (drawn[0] + drawn[1] + drawn[3] == 3).all()
    assert drawn[0].mean() == pytest.approx(1, abs=0.15)
    assert (drawn == resampled(lambda weights: weights.T, groups, 500, seed=3)).all()
    assert not (drawn == resampled(lambda weights: weights.T, groups, 500, seed=4)).all()


def test_larger_groups_mean_wider_intervals() -> None:
    shown = skilled(5, 300)
    twice = shown.only(np.repeat(np.arange(300), 3))
    alone, together = (
        resampled(statistics_of(twice), groups, 400, 0)[0].std()
        for groups in ([str(row) for row in range(900)], [str(row // 3) for row in range(900)])
    )
    assert together / alone == pytest.approx(np.sqrt(3), rel=0.15)
