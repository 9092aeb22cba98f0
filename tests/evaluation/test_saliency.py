"""Saliency maps as arrays: the chosen images, rank correlations, and the verdict."""

import numpy as np
import pytest

from cxr.evaluation.saliency import (
    RandomisedStage,
    drawn,
    even_shares,
    gallery,
    randomised_stage,
    region_shares,
    scaled_to_one,
    verdict,
)
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


def test_likeness_is_a_rank_correlation_with_its_spread_and_flat_maps_have_none() -> None:
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(4, 7, 7)).astype(np.float32)
    same = randomised_stage("head", maps, np.exp(maps))
    assert (same.correlation, same.spread) == pytest.approx((1, 0))
    assert same.images == 4
    assert randomised_stage("head", maps, -maps).correlation == pytest.approx(-1)
    mixed = randomised_stage("head", maps, np.concatenate([maps[:2], -maps[2:]]))
    assert (mixed.correlation, mixed.spread) == pytest.approx((0, np.std([1, 1, -1, -1], ddof=1)))
    half = np.concatenate([maps[:2], np.zeros_like(maps[:2])])
    assert randomised_stage("head", maps, half).images == 2
    assert randomised_stage("head", maps, np.zeros_like(maps)) == RandomisedStage("head", None, None, 0)


def test_the_verdict_weighs_the_spread_and_is_none_for_coarse_maps() -> None:
    def said(correlation: float | None, spread: float | None, size: int = 7) -> str:
        return verdict([RandomisedStage("head", 0.9, 0.1, 8), RandomisedStage("all weights", correlation, spread, 8)], (size, size))

    assert "they depend on the weights" in said(0.1, 0.2)
    assert "read nothing into them" in said(0.1, 0.6)  # alike for some images
    assert "read nothing into them" in said(0.8, 0.1)
    assert "too coarse for a verdict" in said(0.1, 0.2, size=3)
    assert "gives no result" in said(None, None)


def test_regions_are_parts_of_the_area_for_any_size_of_map() -> None:
    """An even map has the shares of the area; evidence in the middle has none in border and corners, in a corner all in both."""
    for size in ((7, 7), (3, 3), (14, 14), (5, 9)):
        even = region_shares("COVID", np.ones((3, *size), np.float32))
        assert even is not None
        assert (even.border, even.corners) == pytest.approx(even_shares(size))
        assert even_shares(size) == pytest.approx((1 - (5 / 7) ** 2, (4 / 7) ** 2))
    maps = np.full((2, 7, 7), -1, np.float32)
    maps[0, 3, 3], maps[1, 0, 6] = 2, 5
    found = region_shares("COVID", maps)
    assert found is not None
    assert (found.border, found.corners, found.border_spread) == pytest.approx((0.5, 0.5, 0.5))
    assert region_shares("COVID", -np.ones((2, 7, 7), np.float32)) is None
