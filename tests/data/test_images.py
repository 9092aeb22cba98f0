"""Decoding: pixels, hashes, and files that are not what they seem."""

import hashlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.data.images import Decoded, decode, load_grey


def saved(image: Image.Image, kind: str) -> bytes:
    file = BytesIO()
    image.save(file, kind)
    return file.getvalue()


def test_pixels_hash_and_size_do_not_depend_on_the_encoding() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (30, 20), np.uint8)
    colour = Image.fromarray(np.repeat(grey[..., None], 3, axis=-1))
    for content in (saved(Image.fromarray(grey), "png"), saved(Image.fromarray(grey), "bmp"), saved(colour, "png")):
        pixels, fact = decode(content, 32)
        assert pixels.shape == (32, 32, 1)
        assert pixels.dtype == np.uint8
        assert fact == Decoded(hashlib.sha256(b"20x30:" + grey.tobytes()).hexdigest(), 20, 30)


def test_an_image_of_the_networks_size_is_read_as_it_is() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    np.testing.assert_array_equal(decode(saved(Image.fromarray(grey), "png"), 32)[0][..., 0], grey)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 257, 257 * 100, 65535]], np.uint16)).save(tmp_path / "a.png")
    assert np.asarray(load_grey(tmp_path / "a.png")).tolist() == [[0, 1, 100, 255]]


def test_transparency_and_palettes_become_grey(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (90, 90, 90, 255)).save(tmp_path / "a.png")
    Image.new("L", (4, 4), 90).convert("P").save(tmp_path / "b.png")
    for name in ("a.png", "b.png"):
        assert np.asarray(load_grey(tmp_path / name)).tolist() == [[90] * 4] * 4


@pytest.mark.parametrize(
    "content", [b"", b"text, not an image", b"\x89PNG\r\n\x1a\nrubbish", None], ids=["empty", "text", "head", "torn"]
)
def test_a_bad_image_says_why(content: bytes | None) -> None:
    if content is None:
        content = saved(Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)), "png")[:2000]
    pixels, reason = decode(content, 32)
    assert isinstance(reason, str)
    assert reason
    assert not pixels.any()


def test_a_decompression_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "decompression bomb" in str(decode(saved(Image.new("L", (100, 100)), "png"), 32)[1])
