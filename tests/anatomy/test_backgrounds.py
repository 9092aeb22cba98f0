"""Backgrounds: lungs keep their pixels, all else is another image's, and a draw depends on seed and pixels alone."""

import numpy as np
import pytest

from cxr.anatomy.backgrounds import Backgrounds, backgrounds_of
from cxr.cache.rows import Rows
from cxr.config.schema import AugmentConfig
from cxr.data.augment import draw_views
from cxr.data.views import Viewer

SIZE = 64
IMAGES = np.stack([np.full((SIZE, SIZE, 1), grey, np.uint8) for grey in (40, 90, 140, 190)])
HASHES = [f"{row * 977:064x}" for row in range(4)]
MASKS = np.zeros((4, SIZE, SIZE), bool)
MASKS[:, 20:44, 12:52] = True


def backgrounds(order: tuple[int, ...] = (0, 1, 2, 3), masks: np.ndarray = MASKS, images: np.ndarray = IMAGES) -> Backgrounds:
    return backgrounds_of(Rows.of(images), np.array(order), HASHES, lambda rows: masks[rows])


def put_first(whole: Backgrounds, draws: list[float]) -> np.ndarray:
    """The first image under some draws."""
    return whole.put(IMAGES[:1].astype(np.float32), np.array([0]), np.array([draws]))[0, ..., 0]


def test_lungs_stay_and_the_background_is_the_donors() -> None:
    mixed = put_first(backgrounds(), [0.99, 0.5, 0.9])  # the last donor, as it is
    assert mixed[32, 32] == pytest.approx(40, abs=2)
    assert mixed[2, 2] == pytest.approx(IMAGES[backgrounds().donors[-1], 0, 0, 0], abs=2)


def test_exposure_is_brought_to_that_of_the_lungs() -> None:
    assert np.ptp(put_first(backgrounds(), [0.99, 0.5, 0.1])) < 3  # images of one grey level each


def test_image_without_a_donor_is_unchanged() -> None:
    np.testing.assert_array_equal(put_first(backgrounds(), [np.nan, 0.5, 0.9]), IMAGES[0, ..., 0])


def test_donors_lungs_are_moved_to_where_the_own_lungs_are() -> None:
    masks, images = MASKS.copy(), IMAGES.copy()
    masks[3] = False
    masks[3, 36:56, 20:44] = True
    images[3][masks[3]] = 0  # dark lungs at another place
    whole = backgrounds(masks=masks, images=images)
    donor = int(np.flatnonzero(whole.donors == 3)[0])
    assert put_first(whole, [(donor + 0.5) / 4, 0.0, 0.9])[50:58, 20:44].min() > 100  # where the donor's own lungs would show


@pytest.mark.parametrize("masks", [np.zeros_like(MASKS), np.ones_like(MASKS)], ids=["empty", "whole"])
def test_empty_and_whole_masks_give_grey_levels(masks: np.ndarray) -> None:
    mixed = backgrounds(masks=masks).put(IMAGES.astype(np.float32), np.arange(4), np.array([[0.3, 0.5, 0.1]] * 4))
    assert ((mixed >= 0) & (mixed <= 255)).all()


def test_view_does_not_depend_on_the_order_of_images() -> None:
    augment, rows = AugmentConfig(background=1.0), np.array([2, 0])
    one, other = backgrounds(), backgrounds((3, 1, 0, 2))
    first, second = (Viewer(Rows.of(IMAGES), HASHES, augment, 5, whole).see(rows, 0) for whole in (one, other))
    np.testing.assert_array_equal(first, second)
    assert one.fingerprint == other.fingerprint != backgrounds((0, 1, 2)).fingerprint


def test_share_of_images_with_a_donor_is_the_setting() -> None:
    hashes = [f"{row:064x}" for row in range(0, 400 * 2**190, 2**190)]
    draws = draw_views(AugmentConfig(background=0.3), 64, 0, 0, hashes).onto
    assert draws is not None
    assert (~np.isnan(draws[:, 0])).mean() == pytest.approx(0.3, abs=0.08)
    assert draw_views(AugmentConfig(zoom=0.1), 64, 0, 0, hashes[:2]).onto is None
