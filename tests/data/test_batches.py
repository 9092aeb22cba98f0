"""Batches: every row once an epoch, a pure function of the step, warped as the drawn view says."""

import numpy as np
import pytest

from cxr.config import AugmentConfig
from cxr.data.augment import draw_views
from cxr.data.batches import Batches, plain_batches

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (20, 32, 32, 1), np.uint8)
TARGETS = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 20)]
ROWS = np.array([1, 2, 3, 5, 8, 13, 14, 15, 16, 17])


def batches(augment: AugmentConfig, images: np.ndarray = IMAGES) -> Batches:
    return Batches(images, TARGETS, ROWS, augment, batch_size=4, seed=7)


def test_each_epoch_shows_every_row_once_in_another_order() -> None:
    orders = [[int(row) for step in range(first, first + 3) for row in batches(AugmentConfig()).rows_at(step)] for first in (0, 3)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(ROWS)
    assert orders[0] != orders[1]


def test_starting_later_continues_the_same_sequence() -> None:
    augment = AugmentConfig(rotation_degrees=9, contrast=0.2)
    whole = list(batches(augment).from_epoch(0, 2))
    later = list(batches(augment).from_epoch(1, 1))
    for (grey, targets), (grey_again, targets_again) in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(grey, grey_again)
        np.testing.assert_array_equal(targets, targets_again)


def test_without_augmentation_images_arrive_as_they_are() -> None:
    made = batches(AugmentConfig())
    for step, (grey, targets) in enumerate(made.from_epoch(0, 1)):
        rows = made.rows_at(step)
        np.testing.assert_array_equal(grey, np.repeat(IMAGES[rows], 3, axis=-1).astype(np.float32))
        np.testing.assert_array_equal(targets, TARGETS[rows])
    assert [len(grey) for grey, _ in made.from_epoch(0, 1)] == [4, 4, 2]


def test_a_translation_moves_a_point_by_what_was_drawn() -> None:
    spot = np.zeros_like(IMAGES)
    spot[:, 16, 16] = 255
    augment = AugmentConfig(translation=0.2)
    made = batches(augment, spot)
    for step, (grey, _) in enumerate(made.from_epoch(0, 1)):
        transforms = draw_views(augment, 32, 7, 0, made.rows_at(step)).transforms
        for image, transform in zip(np.asarray(grey)[..., 0], transforms, strict=True):
            mass, (y, x) = image / image.sum(), np.mgrid[:32, :32]
            assert (mass * x).sum() == pytest.approx(16 - transform[2], abs=0.05)
            assert (mass * y).sum() == pytest.approx(16 - transform[5], abs=0.05)


def test_exposure_changes_stay_within_grey_levels() -> None:
    seen = np.concatenate([np.asarray(grey) for grey, _ in batches(AugmentConfig(brightness=0.4, contrast=0.8)).from_epoch(0, 1)])
    assert seen.min() >= 0
    assert seen.max() <= 255
    assert seen.std() != pytest.approx(IMAGES[ROWS].std(), rel=0.01)


def test_plain_batches_keep_order() -> None:
    grey = np.concatenate([np.asarray(images) for images, _ in plain_batches(IMAGES, TARGETS, ROWS, 4)])
    np.testing.assert_array_equal(grey[..., 1], IMAGES[ROWS, ..., 0])
