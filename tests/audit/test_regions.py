"""Regions: what is hidden holds nothing of itself, what is left is untouched."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.audit.regions import FILLS, REGIONS, filled, region_of, thumbnails
from tests.audit.made import noise

SUBJECT = noise(8)


@pytest.mark.parametrize("fill", FILLS)
def test_what_is_hidden_does_not_matter_and_the_rest_is_as_it_was(fill: str) -> None:
    hidden = SUBJECT.masks
    other = SUBJECT.images.copy()
    other[hidden] = 255 - other[hidden]
    found, again = (filled(images, hidden, fill, np.random.default_rng(0)) for images in (SUBJECT.images, other))
    np.testing.assert_array_equal(found, again)
    np.testing.assert_array_equal(found[~hidden], SUBJECT.images[~hidden])


@pytest.mark.parametrize("region", sorted(set(REGIONS) - {"other_surroundings"}))
def test_each_region_is_the_same_every_time(region: str) -> None:
    one, other = (region_of(region, SUBJECT.images, SUBJECT.masks, "noise") for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == SUBJECT.images.shape
    assert one.dtype == np.uint8


@given(count=st.integers(2, 30), seed=st.integers(0, 100))
def test_the_control_gives_every_image_the_mask_of_another(count: int, seed: int) -> None:
    masks = np.zeros((count, count, count), bool)
    masks[np.arange(count), np.arange(count)] = True  # image i hides row i
    images = np.zeros((count, count, count, 1), np.uint8)
    images[np.arange(count), np.arange(count)] = 200
    found = region_of("others_removed", images, masks, seed=seed)
    assert (found[np.arange(count), np.arange(count)] == 200).all()


@pytest.mark.parametrize("hidden", [True, False])
@pytest.mark.parametrize("fill", FILLS)
def test_all_or_nothing_hidden_is_no_fault(hidden: bool, fill: str) -> None:
    found = filled(SUBJECT.images, np.full(SUBJECT.masks.shape, hidden), fill, np.random.default_rng(0))
    assert (found == (128 if hidden else SUBJECT.images)).all()


def test_a_thumbnail_is_the_mean_of_its_pixels() -> None:
    expected = SUBJECT.images.reshape(8, 8, 6, 8, 6).mean(axis=(2, 4)).reshape(8, -1) / 255
    np.testing.assert_allclose(thumbnails(SUBJECT.images, 8), expected, atol=0.01)
