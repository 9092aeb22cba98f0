"""What a film looks like, in a few bytes: the same to the bit on every machine, and nearly so for every copy of the film."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_WAVES = 8  # along each side, so 64 bits a hash
_STEPS = 256.0  # cosines are rounded to so many steps: then every sum below is a whole number under 2 ** 53, and exact
_ROWS = 64  # of pixels at a time, in little memory that stays in the processor's cache
_DOWN, _ACROSS = [0, 1, 1, 2, 2], [0, 1, 2, 1, 2]  # the five parts: over which rows and columns their cosines go


@dataclass(frozen=True)
class Look:
    """`hashes` (5,) uint64 of five parts of a film; `outline` (64,) int8, its lowest frequencies, scaled to -127..127."""

    hashes: NDArray[np.uint64]
    outline: NDArray[np.int8]

    @property
    def phash(self) -> str:
        """The perceptual hash of the whole film, 64 bits in hex."""
        return self.hashes[:1].astype(">u8").tobytes().hex()

    def to_hex(self) -> str:
        """All of it in 208 digits."""
        return self.hashes.astype(">u8").tobytes().hex() + self.outline.tobytes().hex()

    @staticmethod
    def from_hex(text: str) -> "Look":
        """What `to_hex` wrote."""
        content = bytes.fromhex(text)
        return Look(np.frombuffer(content[:40], ">u8").astype(np.uint64), np.frombuffer(content[40:], np.int8))


def look_of(grey: NDArray[np.uint8]) -> Look:
    """Look at grey levels (height, width): the whole, and what is left without a row and a column at either side.

    A bit of a hash says whether one of the 8 x 8 lowest frequencies of the cosine transform is above their median (Zauner,
    "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2.1, without the shrinking, which only
    saves time there). A shift by one pixel changes such a hash as often as not; but then one of the four smaller parts of one
    film has the very pixels of one of the other's.
    """
    height, width = grey.shape
    down, across = _waves(height), _waves(width)
    rows = np.zeros((3 * _WAVES, width))
    for top in range(0, height, _ROWS):
        rows += down[:, top : top + _ROWS] @ grey[top : top + _ROWS].astype(np.float64)
    parts = (rows @ across.T).reshape(3, _WAVES, 3, _WAVES)[_DOWN, :, _ACROSS].reshape(5, _WAVES**2)
    middle = np.sort(parts, axis=1)[:, _WAVES**2 // 2 - 1 : _WAVES**2 // 2 + 1].mean(axis=1, keepdims=True)  # the median
    hashes = np.packbits(parts > middle, axis=1).view(">u8")[:, 0].astype(np.uint64)
    outline = parts[0].copy()
    outline[0] = 0  # brightness says nothing
    return Look(hashes, (outline * (127 / max(1.0, np.abs(outline).max()))).round().astype(np.int8))


@lru_cache(maxsize=256)
def _waves(length: int) -> NDArray[np.float64]:
    """The lowest cosines (24, length): 8 over all pixels, 8 over all but the last, 8 over all but the first."""
    found = np.zeros((3, _WAVES, length))
    for part, (first, last) in enumerate(((0, length), (0, length - 1), (1, length))):
        places = (2 * np.arange(last - first) + 1) / (2 * (last - first))
        found[part, :, first:last] = (np.cos(np.pi * np.arange(_WAVES)[:, None] * places) * _STEPS).round()
    return found.reshape(3 * _WAVES, length)
