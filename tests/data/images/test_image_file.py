"""Image files: pixels, hashes, and files with misleading names or content."""

import hashlib
import tracemalloc
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from cxr.data.images.decode import decode_image
from cxr.data.images.image_file import ImageFacts, decode
from cxr.data.images.perceptual import perceptual_hashes_of


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def noise(height: int = 30, width: int = 20) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width), np.uint8)


def read(content: bytes) -> Image.Image:
    return decode_image(content, "auto").image


def test_pixels_and_facts_do_not_depend_on_the_encoding() -> None:
    grey = noise()
    colour = Image.fromarray(np.repeat(grey[..., None], 3, axis=-1))
    encoded = [saved(Image.fromarray(grey), "png"), saved(Image.fromarray(grey), "bmp"), saved(colour, "png")]
    decoded = [decode(content, 32) for content in encoded]
    for pixels, facts in decoded:
        assert pixels is not None
        assert isinstance(facts, ImageFacts)
        assert pixels.shape == (32, 32, 1)
        assert pixels.dtype == np.uint8
        np.testing.assert_array_equal(pixels, decoded[0][0])
        assert facts.sha256 == hashlib.sha256(b"20x30:" + grey.tobytes()).hexdigest()
        assert (facts.width, facts.height, facts.perceptual) == (20, 30, perceptual_hashes_of(grey))
    assert decode(encoded[0], None) == (None, decoded[0][1])  # without a size
    assert [facts.mode for _, facts in decoded if isinstance(facts, ImageFacts)] == ["L", "L", "RGB"]


@pytest.mark.parametrize("kind", ["png", "jpeg", "tiff", "bmp", "webp"])
@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_every_kind_and_mode_is_read(kind: str, mode: str) -> None:
    image = Image.new("L", (32, 32), 255).convert(mode)
    try:
        content = saved(image, kind)
    except (OSError, ValueError):
        pytest.skip(f"{kind} has no {mode}")
    assert abs(float(np.asarray(read(content)).mean()) - 255) < 3


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_deep_grey_levels_are_scaled_by_their_depth(kind: str, bits: int) -> None:
    levels = np.linspace(0, 2**bits - 1, 16 * 16).reshape(16, 16)
    content = saved(Image.fromarray(levels.astype(np.uint16)), kind)
    np.testing.assert_allclose(np.asarray(read(content), float), np.linspace(0, 255, 256).reshape(16, 16), atol=1)


def test_deep_tiff_negative_is_inverted() -> None:
    """Pillow inverts those of 8 bits itself."""
    levels = np.linspace(0, 65535, 256).reshape(16, 16).astype(np.uint16)
    content = saved(Image.fromarray(levels), "tiff", tiffinfo={262: 0})  # white is zero
    np.testing.assert_allclose(np.asarray(read(content), float), 255 - levels / 257, atol=1)


def test_transparent_pixels_are_black() -> None:
    image = Image.new("RGBA", (16, 16), (255, 255, 255, 255))
    image.putalpha(Image.fromarray(np.repeat([[0], [255]], 8, axis=0).astype(np.uint8).repeat(16, axis=1)))
    assert np.asarray(read(saved(image, "png")))[:, 0].tolist() == [0] * 8 + [255] * 8


REFUSED = {
    b"": "not an image that can be recognised",
    b"text, not an image": "not an image that can be recognised",
    b"\x89PNG\r\n\x1a\nrubbish": "",
    saved(Image.fromarray(noise(64, 64)), "png")[:2000]: "truncated",
    saved(Image.new("L", (15, 400)), "png"): "15 x 400 pixels are too few to show a chest",
    saved(Image.new("L", (32, 32)), "ppm"): "not an image that can be recognised",
    saved(Image.fromarray(np.zeros((32, 32), np.float32)), "tiff"): "its values are fractions",
    saved(Image.new("L", (32, 32)), "tiff", save_all=True, append_images=[Image.new("L", (32, 32), 9)]): "2 images in one file",
}


@pytest.mark.parametrize(
    "content", REFUSED, ids=["empty", "text", "head", "torn", "tiny", "no format of ours", "fractions", "two frames"]
)
def test_bad_image_has_a_reason_in_one_line(content: bytes) -> None:
    pixels, reason = decode(content, 32)
    assert pixels is None
    assert isinstance(reason, str)
    assert reason
    assert "\n" not in reason
    assert REFUSED[content] in reason


@pytest.mark.parametrize("size", [(20_001, 16), (16, 20_001), (7000, 7000), (9000, 9000)])
def test_large_image_is_refused_before_it_is_unpacked(size: tuple[int, int]) -> None:
    content = saved(Image.new("1", size), "png")
    tracemalloc.start()
    assert decode(content, None) == (None, f"{size[0]} x {size[1]} pixels are more than any chest radiograph has")
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_limit_of_pillow_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert "more pixels than any chest radiograph has" in str(decode(saved(Image.new("L", (100, 100)), "png"), 32)[1])


@settings(max_examples=300)
@given(st.data())
def test_changed_bytes_give_pixels_or_a_reason(data: st.DataObject) -> None:
    """Valid files with some bytes changed, cut off or put in."""
    kind = data.draw(st.sampled_from(["png", "jpeg", "tiff", "bmp", "webp"]))
    content = bytearray(saved(Image.fromarray(noise(24, 24)), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    pixels, facts = decode(bytes(content), 32)
    assert (pixels is None) == isinstance(facts, str)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_image_is_rotated_by_its_exif_orientation(kind: str) -> None:
    """EXIF's orientation 6: what is stored as the top row is shown as the right column (CIPA DC-008, 4.6.4)."""
    levels = np.zeros((48, 64), np.uint8)
    levels[:24] = 200
    exif = Image.Exif()
    exif[0x0112] = 6
    options = {"lossless": True} if kind == "webp" else {}
    shown = np.asarray(read(saved(Image.fromarray(levels), kind, exif=exif, **options))).astype(float)
    assert shown.shape == (64, 48)
    assert shown[:, 26:].mean() > 195
    assert shown[:, :22].mean() < 5


def test_jpeg_of_many_scans_is_refused() -> None:
    content = saved(Image.fromarray(np.zeros((32, 32), np.uint8)), "jpeg", progressive=True)
    scan = content.index(b"\xff\xda")
    many = content[:scan] + content[scan:-2] * 200 + content[-2:]
    assert decode(many, None) == (None, "more scans than any radiograph is saved in")
