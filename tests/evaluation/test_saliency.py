"""Saliency maps as arrays: the chosen images, rank correlations, and the verdict."""

import numpy as np
import pytest

from cxr.evaluation.saliency import RandomisedStage, drawn, gallery, rank_correlation, scaled_to_one, verdict
from tests.evaluation.made import skilled


def test_the_gallery_has_right_and_wrong_cases_of_each_class_whatever_the_order() -> None:
    predictions = skilled(1, 200, skill=0.8)
    found = gallery(predictions, 3)
    for name in predictions.classes:
        of_class = [each for each in found if each.label == name]
        assert [each.predicted == name for each in of_class] == [True] * 3 + [False] * 3
    shuffled = predictions.only(np.random.default_rng(0).permutation(200))
    assert [each.id for each in gallery(shuffled, 3)] == [each.id for each in found]
    for each in found:
        assert predictions.ids[each.row] == each.id
        assert each.probability == predictions.probabilities[each.row].max()
    assert len(drawn(predictions, np.arange(200), 5)) == 5


def test_maps_are_shown_from_0_to_1_and_flat_ones_as_nothing() -> None:
    found = scaled_to_one(np.array([[[-1.0, 2.0], [4.0, 0.0]], [[-1.0, -1.0], [-1.0, -1.0]]], np.float32))
    assert found.tolist() == [[[0, 0.5], [1, 0]], [[0, 0], [0, 0]]]


def test_likeness_is_a_rank_correlation_and_flat_maps_have_none() -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(4, 7, 7)).astype(np.float32)
    assert rank_correlation(maps, maps) == pytest.approx(1)
    assert rank_correlation(maps, np.exp(maps)) == pytest.approx(1)
    assert rank_correlation(maps, -maps) == pytest.approx(-1)
    half = np.concatenate([maps[:2], np.zeros_like(maps[:2])])
    assert rank_correlation(maps, half) == pytest.approx(1)
    assert rank_correlation(maps, np.zeros_like(maps)) is None


def test_the_verdict_follows_from_what_is_left_when_all_weights_are_shuffled() -> None:
    assert "depend on what was learned" in verdict([RandomisedStage("head", 0.9), RandomisedStage("all weights", 0.1)])
    assert "gives no result" in verdict([RandomisedStage("all weights", None)])
    assert "nothing should be read into them" in verdict([RandomisedStage("all weights", 0.8)])
