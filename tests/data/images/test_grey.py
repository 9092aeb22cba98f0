"""`data.grey`: deep images of a collection become 8 bits by one rule, which markers and hot pixels do not change."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from cxr.cache.store import Cache
from cxr.data.images.image_file import DECODER
from cxr.data.images.store import ImagePixels, forget_images, read_images
from cxr.progress import Progress

stage = Progress(Console(quiet=True)).stage
RAMP = np.linspace(0, 4095, 64 * 64).reshape(64, 64).astype(np.uint16)


def read(folder: Path, *images: np.ndarray, grey: str = "auto", cache: Cache | None = None) -> ImagePixels:
    forget_images()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number}.png")
    return read_images(folder, tuple(f"{number}.png" for number in range(len(images))), 64, stage, cache, grey=grey)


def marked(image: np.ndarray, count: int, value: int) -> np.ndarray:
    image = image.copy()
    image.ravel()[:count] = value
    return image


@pytest.mark.parametrize(("count", "value"), [(1, 4096), (20, 65535)], ids=["one pixel of 4096", "0.5 % of 65535"])
def test_hot_pixels_and_markers_are_white_and_change_nothing_else(count: int, value: int, tmp_path: Path) -> None:
    plain, other = read(tmp_path, RAMP, marked(RAMP, count, value)).images[[0, 1]]
    np.testing.assert_array_equal(plain.ravel()[count:], other.ravel()[count:])
    assert (other.ravel()[:count] == 255).all()


def test_depth_of_a_collection_does_not_depend_on_its_order(tmp_path: Path) -> None:
    images = [RAMP // 8] * 2 + [RAMP] * 19 + [RAMP * 16]
    one, other = read(tmp_path, *images), read(tmp_path, *images[::-1])
    assert one.grey == other.grey == "12"
    np.testing.assert_array_equal(one.images[np.arange(22)], other.images[np.arange(22)[::-1]])
    assert one.images[0].max() == round(255 * (4095 // 8) / 4095)
    assert sorted({fact.bits for fact in one.facts}) == [10, 12, 16]


def test_window_shows_each_image_by_its_own_range(tmp_path: Path) -> None:
    dark, bright = read(tmp_path, RAMP // 16, RAMP, grey="window").images[[0, 1]].astype(int)
    assert np.abs(dark - bright).max() <= 2


def test_depth_and_the_rule_of_before_are_followed(tmp_path: Path) -> None:
    assert read(tmp_path, RAMP, grey="16").images[0].max() == round(255 * 4095 / 65535)
    assert read(tmp_path, marked(RAMP, 1, 4096), grey="brightest").images[0].max() == round(255 * 4096 / 16383)


@pytest.mark.parametrize("grey", ["auto", "window", "8", "16"])
def test_8_bit_images_depend_on_no_rule_and_their_cached_rows_stay_valid(grey: str, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 10**9)
    image = (RAMP // 16).astype(np.uint8)
    result = read(tmp_path, image, grey=grey, cache=cache)
    assert result.grey == grey
    np.testing.assert_array_equal(result.images[0][..., 0], image)
    assert [key.read_text().count(DECODER) for key in (tmp_path / "cache").rglob("recipe.json")] == [1]


def test_gif_of_one_frame_is_read(tmp_path: Path) -> None:
    image = Image.fromarray((RAMP // 16).astype(np.uint8))
    image.save(tmp_path / "0.png", "gif")
    forget_images()
    (shown,) = read_images(tmp_path, ("0.png",), 64, stage).images[[0]]
    np.testing.assert_array_equal(shown[..., 0], np.asarray(image))
