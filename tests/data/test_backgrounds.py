"""Surroundings: lungs keep their pixels, all else is another image's, and a draw depends on seed and pixels alone."""

import numpy as np
import pytest

from cxr.cache.rows import Rows
from cxr.config.schema import AugmentConfig
from cxr.data.augment import draw_views
from cxr.data.backgrounds import Backgrounds, backgrounds_of
from cxr.data.views import Viewer

SIZE = 64
RNG = np.random.default_rng(0)
IMAGES = np.stack([np.full((SIZE, SIZE, 1), grey, np.uint8) for grey in (40, 90, 140, 190)])
HASHES = [f"{row * 977:064x}" for row in range(4)]
MASKS = np.zeros((4, SIZE, SIZE), bool)
MASKS[:, 20:44, 12:52] = True


def made(order: tuple[int, ...] = (0, 1, 2, 3), masks: np.ndarray = MASKS) -> Backgrounds:
    rows = np.array(order)
    return backgrounds_of(Rows.of(IMAGES), rows, HASHES, lambda some: masks[some])


def test_lungs_stay_and_the_rest_is_the_donors() -> None:
    seen, rows = IMAGES[:1].astype(np.float32), np.array([0])
    found = made().put(seen, rows, np.array([[0.99, 0.5, 0.9]]))[0, ..., 0]  # the last donor, as it is
    donor = IMAGES[made().donors[-1], 0, 0, 0]
    assert found[32, 32] == pytest.approx(40, abs=2)
    assert found[2, 2] == pytest.approx(donor, abs=2)


def test_exposure_may_be_brought_to_that_of_the_lungs() -> None:
    found = made().put(IMAGES[:1].astype(np.float32), np.array([0]), np.array([[0.99, 0.5, 0.1]]))
    assert np.ptp(found) < 3  # images of one grey level each


def test_without_a_draw_an_image_stays_as_it_is() -> None:
    seen = IMAGES[:2].astype(np.float32)
    found = made().put(seen, np.array([0, 1]), np.array([[np.nan, 0.5, 0.9]] * 2))
    np.testing.assert_array_equal(found, seen)


def test_the_donors_lungs_are_moved_to_where_the_own_lungs_are() -> None:
    masks = MASKS.copy()
    masks[3] = False
    masks[3, 36:56, 20:44] = True
    images = IMAGES.copy()
    images[3][masks[3]] = 0  # dark lungs at another place
    whole = backgrounds_of(Rows.of(images), np.arange(4), HASHES, lambda some: masks[some])
    donor = int(np.flatnonzero(whole.donors == 3)[0])
    found = whole.put(images[:1].astype(np.float32), np.array([0]), np.array([[(donor + 0.5) / 4, 0.0, 0.9]]))[0, ..., 0]
    assert found[50:58, 20:44].min() > 100  # where the donor's own lungs would show


@pytest.mark.parametrize("masks", [np.zeros_like(MASKS), np.ones_like(MASKS)], ids=["empty", "whole"])
def test_masks_that_say_nothing_do_no_harm(masks: np.ndarray) -> None:
    found = made(masks=masks).put(IMAGES.astype(np.float32), np.arange(4), np.array([[0.3, 0.5, 0.1]] * 4))
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 255


def test_a_view_does_not_depend_on_the_order_of_images() -> None:
    augment = AugmentConfig(surroundings=1.0)
    one, other = made(), made((3, 1, 0, 2))
    rows = np.array([2, 0])
    seen, again = (Viewer(Rows.of(IMAGES), HASHES, augment, 5, each).see(rows, 0) for each in (one, other))
    np.testing.assert_array_equal(seen, again)
    assert one.fingerprint == other.fingerprint
    assert one.fingerprint != made((0, 1, 2)).fingerprint


def test_it_happens_as_often_as_asked() -> None:
    hashes = [f"{row:064x}" for row in range(0, 400 * 2**190, 2**190)]
    drawn = draw_views(AugmentConfig(surroundings=0.3), 64, 0, 0, hashes).onto
    assert drawn is not None
    assert (~np.isnan(drawn[:, 0])).mean() == pytest.approx(0.3, abs=0.08)
    assert draw_views(AugmentConfig(zoom=0.1), 64, 0, 0, hashes[:2]).onto is None
