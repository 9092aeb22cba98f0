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


def test_gallery_has_right_and_wrong_cases_of_each_class_whatever_the_order() -> None:
    predictions = skilled(1, 200, skill=0.8)
    exhibits = gallery(predictions, 3)
    right = [exhibit.predicted == exhibit.label for exhibit in exhibits]
    assert [exhibit.label for exhibit in exhibits] == [name for name in predictions.classes for _ in range(6)]
    assert right == ([True] * 3 + [False] * 3) * 3
    shuffled = predictions.only(np.random.default_rng(0).permutation(200))
    assert [exhibit.id for exhibit in gallery(shuffled, 3)] == [exhibit.id for exhibit in exhibits]
    for exhibit in exhibits:
        assert predictions.ids[exhibit.row] == exhibit.id
        assert exhibit.probability == predictions.probabilities[exhibit.row].max()
    assert len(drawn(predictions, np.arange(200), 5)) == 5


def test_maps_are_shown_from_0_to_1_and_flat_ones_as_nothing() -> None:
    maps = scaled_to_one(np.array([[[-1.0, 2.0], [4.0, 0.0]], [[-1.0, -1.0], [-1.0, -1.0]]], np.float32))
    assert maps.tolist() == [[[0, 0.5], [1, 0]], [[0, 0], [0, 0]]]


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


@pytest.mark.parametrize(
    ("correlation", "spread", "size", "text"),
    [
        (0.1, 0.2, 7, "they depend on the weights"),
        (0.1, 0.6, 7, "read nothing into them"),  # alike for some images
        (0.8, 0.1, 7, "read nothing into them"),
        (0.1, 0.2, 3, "too coarse for a verdict"),
        (None, None, 7, "gives no result"),
    ],
)
def test_verdict_weighs_the_spread(correlation: float | None, spread: float | None, size: int, text: str) -> None:
    stages = [RandomisedStage("head", 0.9, 0.1, 8), RandomisedStage("all weights", correlation, spread, 8)]
    assert text in verdict(stages, (size, size))


def test_regions_are_parts_of_the_area_for_any_size_of_map() -> None:
    """An even map has the shares of the area; evidence in the middle has none in border and corners, in a corner all in both."""
    for size in ((7, 7), (3, 3), (14, 14), (5, 9)):
        even = region_shares("COVID", np.ones((3, *size), np.float32))
        assert even is not None
        assert (even.border, even.corners) == pytest.approx(even_shares(size))
        assert even_shares(size) == pytest.approx((1 - (5 / 7) ** 2, (4 / 7) ** 2))
    maps = np.full((2, 7, 7), -1, np.float32)
    maps[0, 3, 3], maps[1, 0, 6] = 2, 5
    shares = region_shares("COVID", maps)
    assert shares is not None
    assert (shares.border, shares.corners, shares.border_spread) == pytest.approx((0.5, 0.5, 0.5))
    assert region_shares("COVID", -np.ones((2, 7, 7), np.float32)) is None
