"""Decoding: pixels, hashes, and files that are not what they seem."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.data.images import load_grey, read_images


def nobody(done: int, total: int) -> None:
    """Take no notice."""


def test_pixels_hash_and_size_do_not_depend_on_the_encoding(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (30, 20), np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    Image.fromarray(grey).save(tmp_path / "b.bmp")
    Image.fromarray(np.repeat(grey[..., None], 3, axis=-1)).save(tmp_path / "c.png")
    read = read_images(tmp_path, ("a.png", "b.bmp", "c.png"), 32, nobody)
    assert read.images.shape == (3, 32, 32, 1)
    assert read.images.dtype == np.uint8
    assert len({fact.sha256 for fact in read.facts}) == 1
    assert read.facts[0].sha256 == hashlib.sha256(b"20x30:" + grey.tobytes()).hexdigest()
    assert (read.facts[0].width, read.facts[0].height) == (20, 30)


def test_an_image_of_the_networks_size_is_read_as_it_is(tmp_path: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (32, 32), np.uint8)
    Image.fromarray(grey).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_images(tmp_path, ("a.png",), 32, nobody).images[0, ..., 0], grey)


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
def test_bad_images_are_named_and_left_out(content: bytes | None, tmp_path: Path) -> None:
    for name in ("1.png", "2.png", "3.png"):
        Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)).save(tmp_path / name)
    torn = (tmp_path / "2.png").read_bytes()[:2000]
    (tmp_path / "2.png").write_bytes(torn if content is None else content)
    read = read_images(tmp_path, ("1.png", "2.png", "3.png"), 32, nobody)
    assert read.paths == ("1.png", "3.png")
    assert len(read.images) == len(read.facts) == 2
    assert [bad.path for bad in read.bad] == ["2.png"]
    assert read.bad[0].reason
    assert str(tmp_path) not in read.bad[0].reason


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("L", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "decompression bomb" in read_images(tmp_path, ("bomb.png",), 32, nobody).bad[0].reason
