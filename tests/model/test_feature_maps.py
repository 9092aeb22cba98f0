"""Feature maps: computed once for the same weights and batch, and forgotten when there are too many."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.model import feature_maps
from cxr.model.feature_maps import FeatureMaps

IMAGES = np.arange(3 * 4, dtype=np.float32).reshape(3, 2, 2, 1)


class Counted:
    """Maps that are ten times the image, and how many were computed each time."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, grey: NDArray[np.float32]) -> NDArray[np.float32]:
        self.batches.append(len(grey))
        return 10 * grey


def test_a_batch_is_computed_once_for_the_same_weights() -> None:
    maps, compute = FeatureMaps(), Counted()
    for _ in range(2):
        np.testing.assert_array_equal(maps.of(IMAGES[:2], "a", compute), 10 * IMAGES[:2])
    assert compute.batches == [2]
    maps.of(IMAGES[:2], "b", compute)
    assert compute.batches == [2, 2]
    assert maps.of(IMAGES[:0], "a", compute).shape == (0, 2, 2, 1)


def test_a_batch_does_not_depend_on_what_was_computed_before() -> None:
    maps, compute = FeatureMaps(), Counted()
    maps.of(IMAGES[:2], "a", compute)
    np.testing.assert_array_equal(maps.of(IMAGES[1:], "a", compute), 10 * IMAGES[1:])
    assert compute.batches == [2, 2], "the whole batch at once, also where an image of it is known"


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_maps, "_MOST_BYTES", 2 * IMAGES[0].nbytes)
    maps, compute = FeatureMaps(), Counted()
    for rows in (slice(0, 1), slice(1, 2), slice(0, 1), slice(2, 3), slice(0, 1), slice(1, 2)):  # the latest two are kept
        np.testing.assert_array_equal(maps.of(IMAGES[rows], "a", compute), 10 * IMAGES[rows])
    assert compute.batches == [1] * 4
    np.testing.assert_array_equal(maps.of(IMAGES, "a", compute), 10 * IMAGES)
