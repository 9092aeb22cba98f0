"""Augmentations of grey levels: exposure, sharpness, noise and covered corners stay within what was asked for."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.anatomy.phantom import draw
from cxr.config.schema import AugmentConfig, PhantomConfig
from cxr.data.augment import draw_views

SIZE, COUNT = 96, 60
HASHES = [f"{row:064x}" for row in range(0, COUNT * 2**190, 2**190)]
IMAGES = np.repeat(draw("Normal", 0, PhantomConfig()).astype(np.float32)[None, ..., None], COUNT, axis=0)


def changed(augment: AugmentConfig, images: NDArray[np.float32] = IMAGES) -> NDArray[np.float32]:
    found = images
    for change in draw_views(augment, SIZE, 0, 0, HASHES).pixels:
        found = change(found)
    return found


def test_exponents_are_within_exp_of_gamma() -> None:
    grey = np.full((COUNT, SIZE, SIZE, 1), 127.5, np.float32)
    exponents = np.log(changed(AugmentConfig(gamma=0.5), grey)[:, 0, 0, 0] / 255) / np.log(0.5)
    assert np.abs(np.log(exponents)).max() <= 0.5 + 1e-5
    assert np.log(exponents).std() == pytest.approx(0.5 / np.sqrt(3), rel=0.25)


def test_half_of_the_images_lose_sharpness() -> None:
    found = changed(AugmentConfig(resolution=0.8))
    sharpness = np.abs(np.diff(found[..., 0], axis=2)).mean(axis=(1, 2))
    whole = np.abs(np.diff(IMAGES[0, ..., 0], axis=1)).mean()
    assert 0.3 < (sharpness < 0.98 * whole).mean() < 0.7
    assert (sharpness >= 0.2 * whole).all()


def test_noise_has_at_most_the_spread_that_was_asked_for() -> None:
    found = (changed(AugmentConfig(noise=10)) - IMAGES).std(axis=(1, 2, 3))
    assert found.max() <= 10.2
    assert found.max() > 8
    assert found.min() < 2


def test_corners_are_covered_as_often_as_asked_and_the_middle_never() -> None:
    found = changed(AugmentConfig(erase_corners=0.5))
    covered = np.abs(found - IMAGES)[:, :7, :7].max(axis=(1, 2, 3)) > 0
    assert 0.4 < covered.mean() < 0.9  # by the corner, or by one of two edges
    np.testing.assert_array_equal(found[:, 30:66, 30:66], IMAGES[:, 30:66, 30:66])
