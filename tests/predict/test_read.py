"""Reading files to be answered: the pixels of training, and a reason or a flag for everything else."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.data.images.image_file import decode
from cxr.predict.read import read_images

RNG = np.random.default_rng(0)
COLOURS = RNG.integers(0, 256, (8, 8, 3)).astype(np.uint8)
GREY = RNG.integers(0, 256, (96, 80)).astype(np.uint8)
TINTED = np.stack([GREY, GREY, np.clip(GREY.astype(int) + 12, 0, 255).astype(np.uint8)], axis=-1)


def test_pixels_and_hashes_are_those_of_training(tmp_path: Path) -> None:
    Image.fromarray(GREY).save(tmp_path / "film.png")
    pixels, (answer,) = read_images([str(tmp_path / "film.png")], 32)
    content = (tmp_path / "film.png").read_bytes()
    expected, facts = decode(content, 32)
    assert expected is not None
    assert not isinstance(facts, str)
    assert np.array_equal(pixels[0], expected)
    assert (answer.sha256, answer.pixels) == (hashlib.sha256(content).hexdigest(), facts.sha256)
    assert (answer.width, answer.height, answer.flags, answer.reason) == (80, 96, [], "")


@pytest.mark.parametrize(
    ("name", "pixels", "flags"),
    [
        ("tinted.png", TINTED, []),
        ("photo.jpg", COLOURS.repeat(12, 0).repeat(12, 1), ["in colours, like a photograph"]),
        ("strip.png", GREY.repeat(4, axis=0), ["80 x 384 pixels is the shape of no chest film"]),
        ("small.png", GREY[:40], ["80 x 40 pixels are few for a film"]),
    ],
)
def test_readable_image_of_another_kind_is_flagged(name: str, pixels: np.ndarray, flags: list[str], tmp_path: Path) -> None:
    Image.fromarray(pixels).save(tmp_path / name)
    (answer,) = read_images([str(tmp_path / name)], 32)[1]
    assert (answer.flags, answer.reason) == (flags, "")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("text.png", b"=1+1", "not an image that can be recognised"),
        ("empty.png", b"", "not an image that can be recognised"),
        ("folder", None, "can't be read: is a directory"),
        ("gone.png", None, "can't be read: No such file or directory"),
        ("zero\0.png", None, "can't be read: embedded null byte"),
    ],
)
def test_unreadable_file_has_a_reason_and_black_pixels(name: str, content: bytes | None, reason: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    pixels, (answer,) = read_images([f"{tmp_path}/{name}"], 32)
    assert answer.reason == reason
    assert not pixels.any()
