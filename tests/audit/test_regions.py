"""Regions: hidden pixels leave no trace, and the others are untouched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.audit.regions import FILLS, REGIONS, filled, region_of, thumbnails
from tests.audit.made import noise

SUBJECT = noise(8)


@pytest.mark.parametrize("fill", FILLS)
def test_filled_images_do_not_depend_on_hidden_pixels(fill: str) -> None:
    hidden = SUBJECT.masks
    other = SUBJECT.images.copy()
    other[hidden] = 255 - other[hidden]
    first, second = (filled(images, hidden, fill, np.random.default_rng(0)) for images in (SUBJECT.images, other))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first[~hidden], SUBJECT.images[~hidden])


@pytest.mark.parametrize("region", sorted(set(REGIONS) - {"other_surroundings"}))
def test_region_is_deterministic(region: str) -> None:
    one, other = (region_of(region, SUBJECT.images, SUBJECT.masks, "noise") for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == SUBJECT.images.shape
    assert one.dtype == np.uint8


@given(count=st.integers(2, 30), seed=st.integers(0, 100))
def test_control_gives_every_image_the_mask_of_another(count: int, seed: int) -> None:
    masks = np.zeros((count, count, count), bool)
    masks[np.arange(count), np.arange(count)] = True  # image i hides row i
    images = np.zeros((count, count, count, 1), np.uint8)
    images[np.arange(count), np.arange(count)] = 200
    control = region_of("others_removed", images, masks, seed=seed)
    assert (control[np.arange(count), np.arange(count)] == 200).all()


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("fill", FILLS)
def test_all_or_no_pixels_hidden(hidden: bool, fill: str) -> None:
    images = filled(SUBJECT.images, np.full(SUBJECT.masks.shape, hidden), fill, np.random.default_rng(0))
    assert (images == (128 if hidden else SUBJECT.images)).all()


def test_thumbnail_is_the_mean_of_its_pixels() -> None:
    expected = SUBJECT.images.reshape(8, 8, 6, 8, 6).mean(axis=(2, 4)).reshape(8, -1) / 255
    np.testing.assert_allclose(thumbnails(SUBJECT.images, 8), expected, atol=0.01)
