"""Feature maps: computed once for the same weights and image, and forgotten when there are too many."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.model import feature_maps
from cxr.model.feature_maps import FeatureMaps

IMAGES = np.arange(3 * 4, dtype=np.float32).reshape(3, 2, 2, 1)


class Counted:
    """Maps that are ten times the image, and how many were computed."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, grey: NDArray[np.float32]) -> NDArray[np.float32]:
        self.count += len(grey)
        return 10 * grey


def test_an_image_is_computed_once_for_the_same_weights() -> None:
    maps, compute = FeatureMaps(), Counted()
    np.testing.assert_array_equal(maps.of(IMAGES[:2], "a", compute), 10 * IMAGES[:2])
    np.testing.assert_array_equal(maps.of(IMAGES[[2, 1, 1]], "a", compute), 10 * IMAGES[[2, 1, 1]])
    assert compute.count == 3
    maps.of(IMAGES[:1], "b", compute)
    assert compute.count == 4
    assert maps.of(IMAGES[:0], "a", compute).shape == (0, 2, 2, 1)


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_maps, "_MOST_BYTES", 2 * IMAGES[0].nbytes)
    maps, compute = FeatureMaps(), Counted()
    np.testing.assert_array_equal(maps.of(IMAGES, "a", compute), 10 * IMAGES)
    np.testing.assert_array_equal(maps.of(IMAGES[1:], "a", compute), 10 * IMAGES[1:])
    assert compute.count == 3
    np.testing.assert_array_equal(maps.of(IMAGES[:1], "a", compute), 10 * IMAGES[:1])
    assert compute.count == 4
