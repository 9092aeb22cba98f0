"""Moved images: the same as TensorFlow's within a hundredth of a grey level, whatever else is in the batch."""

import keras
import numpy as np
import pytest

from cxr.config.schema import AugmentConfig
from cxr.data.augment import Views, draw_views
from cxr.data.warp import moved

RNG = np.random.default_rng(0)
FAR = AugmentConfig(rotation_degrees=40, translation=0.4, zoom=0.5, shear_degrees=20)


def images(size: int, count: int = 40) -> np.ndarray:
    return RNG.integers(0, 256, (count, size, size, 1), np.uint8)


def views(config: AugmentConfig, size: int, count: int = 40) -> Views:
    return draw_views(config, size, 0, 0, [f"{number:064x}" for number in range(count)])


@pytest.mark.parametrize("size", [31, 64])
def test_images_are_moved_as_by_keras(size: int) -> None:
    """Far enough that edges are reflected, some of them twice."""
    grey, drawn = images(size), views(FAR, size)
    expected = keras.ops.image.affine_transform(
        grey.astype(np.float32), drawn.transforms, fill_mode="reflect", data_format="channels_last"
    )
    np.testing.assert_allclose(moved(grey, drawn), keras.ops.convert_to_numpy(expected), rtol=0, atol=0.05)


def test_dtype_and_batch_do_not_matter() -> None:
    grey, drawn = images(32), views(FAR, 32)
    alone = Views(drawn.transforms[33:34], drawn.gain[33:34], drawn.offset[33:34])
    np.testing.assert_array_equal(moved(grey.astype(np.float32), drawn), moved(grey, drawn))
    np.testing.assert_array_equal(moved(grey[33:34], alone)[0], moved(grey, drawn)[33])


def test_exposure_acts_around_mid_grey() -> None:
    grey, still = images(32), views(AugmentConfig(), 32)
    np.testing.assert_allclose(moved(grey, still), grey, rtol=0, atol=1e-2)
    exposed = Views(still.transforms, np.full(40, 1.5, np.float32), np.full(40, -20, np.float32))
    np.testing.assert_allclose(moved(grey, exposed), (grey.astype(np.float32) - 127.5) * 1.5 + 127.5 - 20, rtol=0, atol=1e-2)
