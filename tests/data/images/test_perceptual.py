"""Perceptual hashes: they follow their formula, change with shifts of the pixels, and hardly with the encoding."""

from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

from cxr.data.images import perceptual
from cxr.data.images.perceptual import PerceptualHashes, perceptual_hashes_of

PARTS = [(slice(None), slice(None))] + [
    (rows, columns) for rows in (slice(0, -1), slice(1, None)) for columns in (slice(0, -1), slice(1, None))
]


def soft_shapes(seed: int = 0, height: int = 70, width: int = 90) -> NDArray[np.uint8]:
    """Soft shapes, as a radiograph has."""
    noise = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 9), np.uint8))
    return np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC))


def hashes_of(grey: NDArray[np.uint8]) -> PerceptualHashes:
    return PerceptualHashes.of([perceptual_hashes_of(grey)])


@pytest.mark.parametrize("shape", [(70, 90), (16, 400), (300, 201)])
def test_bits_are_the_low_frequencies_above_their_median(shape: tuple[int, int]) -> None:
    grey = soft_shapes(1, *shape)
    for part, value in zip(PARTS, hashes_of(grey).hashes[0], strict=True):
        low = dctn(grey[part].astype(float), type=2)[:8, :8]
        bits = np.packbits((low > np.median(low)).ravel()).view(">u8")[0]
        assert (int(bits) ^ int(value)).bit_count() <= 2  # cosines are rounded, so what is at the median may fall to either side


def test_outline_is_the_low_frequencies_without_brightness() -> None:
    grey = soft_shapes(2)
    low = dctn(grey.astype(float), type=2)[:8, :8].ravel()
    low[0] = 0
    np.testing.assert_allclose(hashes_of(grey).outlines[0, 0], low / np.abs(low).max() * 127, atol=2)


@given(st.integers(0, 100), st.sampled_from([-1, 0, 1]), st.sampled_from([-1, 0, 1]), st.integers(0, 255))
def test_image_moved_by_a_pixel_keeps_a_hash(seed: int, down: int, across: int, fill: int) -> None:
    grey = soft_shapes(seed)
    framed = np.pad(grey, 1, constant_values=fill)
    moved = framed[1 + down : 1 + down + grey.shape[0], 1 + across : 1 + across + grey.shape[1]]
    assert set(hashes_of(grey).hashes[0, 1:].tolist()) & set(hashes_of(moved).hashes[0, 1:].tolist())


def test_encoding_and_brightness_change_little() -> None:
    grey, file = soft_shapes(3), BytesIO()
    Image.fromarray(grey).save(file, "jpeg", quality=75)
    first, lossy, darker = hashes_of(grey), hashes_of(np.asarray(Image.open(file))), hashes_of((grey * 0.8).astype(np.uint8))
    for other in (lossy, darker):
        assert min((int(a) ^ int(b)).bit_count() for a in first.hashes[0] for b in other.hashes[0]) == 0
        assert np.corrcoef(first.outlines[0, 0], other.outlines[0, 0])[0, 1] > 0.999


def test_hash_does_not_depend_on_the_rows_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = soft_shapes(4, 333, 217)
    expected = perceptual_hashes_of(grey)
    for rows in (1, 7, 64):
        monkeypatch.setattr(perceptual, "_ROWS", rows)
        assert perceptual_hashes_of(grey) == expected


def test_flat_images_have_hashes() -> None:
    greys = [soft_shapes(5), np.zeros((40, 40), np.uint8), np.full((16, 17), 255, np.uint8)]
    perceptual = PerceptualHashes.of([perceptual_hashes_of(grey) for grey in greys])
    assert [len(phash) for phash in perceptual.phashes] == [16, 16, 16]
    assert (perceptual.only(np.array([0])).hashes == hashes_of(greys[0]).hashes).all()
    assert not perceptual.outlines[1].any()
