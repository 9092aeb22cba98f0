"""Traces of JPEG: a compressed file has them, the same image without compression has not."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from cxr.anatomy.phantom import draw
from cxr.config.schema import PhantomConfig
from cxr.data.images.compression import blockiness

GREY = draw("Normal", 0, PhantomConfig())


def compressed(grey: np.ndarray, quality: int) -> np.ndarray:
    file = BytesIO()
    Image.fromarray(grey).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


def test_compression_leaves_blocks() -> None:
    plain, strong = blockiness(GREY), blockiness(compressed(GREY, 20))
    assert min(strong) > max(plain) + 0.2


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (24, 7)])
def test_small_image_has_a_finite_blockiness(shape: tuple[int, int]) -> None:
    assert all(np.isfinite(blockiness(np.zeros(shape, np.uint8))))
