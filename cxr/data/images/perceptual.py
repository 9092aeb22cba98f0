"""Perceptual hashes: equal to the bit on every machine, and nearly equal for copies of an image."""

from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_WAVES = 8  # along each side, so 64 bits a hash
# Cosines are rounded to so many steps: then every sum below is a whole number, exact in the order of any machine: under 2 ** 24 in
# float32 over so many rows at a time, and under 2 ** 53 in float64 over as many pixels as an image may have.
_STEPS, _ROWS = 256.0, 64
_PARTS, _DOWN, _ACROSS = 5, [0, 1, 1, 2, 2], [0, 1, 2, 1, 2]  # over which rows and columns the cosines of each part go


@dataclass(frozen=True)
class PerceptualHashes:
    """Of five parts of n images: `hashes` (n, 5) uint64, and `outlines` (n, 5, 64) int8, low frequencies scaled to -127..127."""

    hashes: NDArray[np.uint64]
    outlines: NDArray[np.int8]

    @property
    def phashes(self) -> list[str]:
        """The perceptual hash of each whole image, 64 bits in hex."""
        return [f"{value:016x}" for value in self.hashes[:, 0].tolist()]

    def only(self, chosen: NDArray[np.int64]) -> "PerceptualHashes":
        """The hashes of some images.

        Args:
            chosen: (k,), rows.
        """
        return PerceptualHashes(self.hashes[chosen], self.outlines[chosen])

    @staticmethod
    def of(texts: Sequence[str]) -> "PerceptualHashes":
        """The hashes in the text that `perceptual_hashes_of` made of each image."""
        content = np.frombuffer(b"".join(map(b64decode, texts)), np.uint8).reshape(len(texts), _PARTS * (8 + _WAVES**2))
        hashes = np.ascontiguousarray(content[:, : 8 * _PARTS]).view(">u8").astype(np.uint64)
        return PerceptualHashes(hashes, content[:, 8 * _PARTS :].view(np.int8).reshape(-1, _PARTS, _WAVES**2))


def perceptual_hashes_of(grey: NDArray[np.uint8]) -> str:
    """Perceptual hashes of an image, 480 characters: hashes and outlines of five parts.

    The parts are the whole, and what is left of it without a row and a column at either side. A bit of a hash says whether one of
    the 8 x 8 lowest frequencies of the cosine transform is above their median. A shift by one pixel changes such a hash as often as
    not; but then one of the four smaller parts of one image has exactly the pixels of a part of the other.

    Args:
        grey: (height, width).

    Source:
        Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, section 3.2.1, without the shrinking,
        which only saves time there.
    """
    height, width = grey.shape
    down, across = _waves(height), _waves(width)
    rows = np.zeros((3 * _WAVES, width))
    for top in range(0, height, _ROWS):
        rows += down[:, top : top + _ROWS] @ grey[top : top + _ROWS].astype(np.float32)
    parts = (rows @ across.T.astype(np.float64)).reshape(3, _WAVES, 3, _WAVES)[_DOWN, :, _ACROSS].reshape(_PARTS, _WAVES**2)
    middle = np.sort(parts, axis=1)[:, _WAVES**2 // 2 - 1 : _WAVES**2 // 2 + 1].mean(axis=1, keepdims=True)  # the median
    hashes = np.packbits(parts > middle, axis=1)
    parts[:, 0] = 0  # brightness does not count
    outlines = (parts * (127 / np.maximum(1.0, np.abs(parts).max(axis=1, keepdims=True)))).round().astype(np.int8)
    return b64encode(hashes.tobytes() + outlines.tobytes()).decode()


@lru_cache(maxsize=64)
def _waves(length: int) -> NDArray[np.float32]:
    """The lowest cosines (24, length): 8 over all pixels, 8 over all but the last, 8 over all but the first."""
    waves = np.zeros((3, _WAVES, length), np.float32)
    for part, (first, last) in enumerate(((0, length), (0, length - 1), (1, length))):
        places = (2 * np.arange(last - first) + 1) / (2 * (last - first))
        waves[part, :, first:last] = (np.cos(np.pi * np.arange(_WAVES)[:, None] * places) * _STEPS).round()
    return waves.reshape(3 * _WAVES, length)
