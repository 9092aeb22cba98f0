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


def film(seed: int = 0, height: int = 70, width: int = 90) -> NDArray[np.uint8]:
    """Soft shapes, as a film has."""
    noise = Image.fromarray(np.random.default_rng(seed).integers(0, 256, (9, 9), np.uint8))
    return np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC))


def look(grey: NDArray[np.uint8]) -> PerceptualHashes:
    return PerceptualHashes.of([perceptual_hashes_of(grey)])


@pytest.mark.parametrize("shape", [(70, 90), (16, 400), (300, 201)])
def test_bits_say_which_low_frequencies_are_above_their_median(shape: tuple[int, int]) -> None:
    grey = film(1, *shape)
    for part, found in zip(PARTS, look(grey).hashes[0], strict=True):
        low = dctn(grey[part].astype(float), type=2)[:8, :8]
        bits = np.packbits((low > np.median(low)).ravel()).view(">u8")[0]
        assert (int(bits) ^ int(found)).bit_count() <= 2  # cosines are rounded, so what is at the median may fall to either side


def test_the_outline_is_made_of_them_without_brightness() -> None:
    grey = film(2)
    low = dctn(grey.astype(float), type=2)[:8, :8].ravel()
    low[0] = 0
    np.testing.assert_allclose(look(grey).outlines[0, 0], low / np.abs(low).max() * 127, atol=2)


@given(st.integers(0, 100), st.sampled_from([-1, 0, 1]), st.sampled_from([-1, 0, 1]), st.integers(0, 255))
def test_a_film_moved_by_a_pixel_keeps_a_hash(seed: int, down: int, across: int, fill: int) -> None:
    grey = film(seed)
    framed = np.pad(grey, 1, constant_values=fill)
    moved = framed[1 + down : 1 + down + grey.shape[0], 1 + across : 1 + across + grey.shape[1]]
    assert set(look(grey).hashes[0, 1:].tolist()) & set(look(moved).hashes[0, 1:].tolist())


def test_another_encoding_or_brightness_changes_little() -> None:
    grey, file = film(3), BytesIO()
    Image.fromarray(grey).save(file, "jpeg", quality=75)
    first, lossy, darker = look(grey), look(np.asarray(Image.open(file))), look((grey * 0.8).astype(np.uint8))
    for other in (lossy, darker):
        assert min((int(a) ^ int(b)).bit_count() for a in first.hashes[0] for b in other.hashes[0]) == 0
        assert np.corrcoef(first.outlines[0, 0], other.outlines[0, 0])[0, 1] > 0.999


def test_it_does_not_depend_on_how_many_rows_are_read_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    grey = film(4, 333, 217)
    found = perceptual_hashes_of(grey)
    for rows in (1, 7, 64):
        monkeypatch.setattr(perceptual, "_ROWS", rows)
        assert perceptual_hashes_of(grey) == found


def test_flat_films_have_a_look_too() -> None:
    greys = [film(5), np.zeros((40, 40), np.uint8), np.full((16, 17), 255, np.uint8)]
    perceptual = PerceptualHashes.of([perceptual_hashes_of(grey) for grey in greys])
    assert [len(phash) for phash in perceptual.phashes] == [16, 16, 16]
    assert (perceptual.only(np.array([0])).hashes == look(greys[0]).hashes).all()
    assert not perceptual.outlines[1].any()
