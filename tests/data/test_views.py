"""Views: unchanged images, or images warped as drawn for their pixels."""

import hashlib

import numpy as np
import pytest

from cxr.cache.rows import Rows
from cxr.config.schema import AugmentConfig
from cxr.data.augment import draw_views
from cxr.data.views import Viewer

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 1), np.uint8)
HASHES = tuple(hashlib.sha256(image.tobytes()).hexdigest() for image in IMAGES)
rows_of = Rows.of
ROWS = np.array([1, 2, 3, 5, 8, 13, 14, 15, 16, 17])


def viewer(augment: AugmentConfig, images: np.ndarray = IMAGES) -> Viewer:
    return Viewer(Rows.of(images), HASHES, augment, seed=7)


def test_images_without_a_view_are_unchanged() -> None:
    images = viewer(AugmentConfig(rotation_degrees=9)).see(ROWS, None)
    assert images.dtype == np.float32
    np.testing.assert_array_equal(images, IMAGES[ROWS])


def test_translation_moves_a_point_by_its_draw() -> None:
    spot = np.zeros_like(IMAGES)
    spot[:, 16, 16] = 255
    augment = AugmentConfig(translation=0.2)
    transforms = draw_views(augment, 32, 7, 0, [HASHES[row] for row in ROWS]).transforms
    for image, transform in zip(viewer(augment, spot).see(ROWS, 0)[..., 0], transforms, strict=True):
        mass, (y, x) = image / image.sum(), np.mgrid[:32, :32]
        assert (mass * x).sum() == pytest.approx(16 - transform[2], abs=0.05)
        assert (mass * y).sum() == pytest.approx(16 - transform[5], abs=0.05)


def test_exposure_changes_stay_within_grey_levels() -> None:
    images = viewer(AugmentConfig(brightness=0.4, contrast=0.8)).see(ROWS, 0)
    assert images.dtype == np.float32
    assert ((images >= 0) & (images <= 255)).all()
    assert images.std() != pytest.approx(IMAGES[ROWS].std(), rel=0.01)
