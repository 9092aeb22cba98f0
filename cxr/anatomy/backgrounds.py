"""The lungs of one training image on the background of another, of any class: then the background does not predict the class.

After "Mixed-Rand" of Xiao et al., "Noise or Signal: The Role of Image Backgrounds", 2021, section 2, with lungs as the foreground.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from cxr.cache.rows import Rows

_SIDE = 64  # pixels, of stored masks
_AT_ONCE = 256  # images whose masks are computed at once
_SHARP = 14.0  # of the seam
_NEAR, _FAR = 0.5, 0.15  # values of the smoothed mask between which a seam is drawn: on its outline, or well outside
_MATCHED = 0.7  # share of backgrounds whose exposure is brought to that of the lungs
Box = tuple[float, float, float, float]  # left, top, right and bottom as shares of the side


@dataclass(frozen=True)
class Backgrounds:
    """Training images whose background can be used, and the lungs of each: `lungs` (rows, 64, 64) uint8, smoothed, 255 inside.

    `donors` are rows of `images`, sorted by pixel hash, so that a draw does not depend on the order of files.
    """

    images: Rows  # (n, size, size, 1) uint8
    donors: NDArray[np.int64]
    lungs: NDArray[np.uint8]
    place: dict[int, int]  # of a row among `lungs`
    donor_hashes: tuple[str, ...]

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what a view may draw from, 16 hex digits."""
        digest = hashlib.sha256("\n".join(self.donor_hashes).encode())
        digest.update(self.lungs[[self.place[int(row)] for row in self.donors]].tobytes())
        return digest.hexdigest()[:16]

    def put(self, images: NDArray[np.float32], rows: NDArray[np.int64], draws: NDArray[np.float64]) -> NDArray[np.float32]:
        """The images of rows, (n, size, size, 1), 0 to 255, those with a donor on its background.

        Args:
            images: (n, size, size, 1), 0 to 255.
            rows: (n,).
            draws: (n, 3), 0 to 1: which donor (nan leaves the image as it is), how far out the seam lies, and whether the exposure
                is brought to that of the lungs.
        """
        mixed = images.copy()
        for place in np.flatnonzero(~np.isnan(draws[:, 0])):
            donor = int(self.donors[int(draws[place, 0] * len(self.donors))])
            mixed[place, ..., 0] = self._mixed(images[place, ..., 0], int(rows[place]), donor, draws[place])
        return mixed

    def _mixed(self, own: NDArray[np.float32], row: int, donor: int, draws: NDArray[np.float64]) -> NDArray[np.float32]:
        size = len(own)
        lungs, others = self.lungs[self.place[row]], self.lungs[self.place[donor]]
        smooth = np.asarray(Image.fromarray(lungs).resize((size, size), Image.Resampling.BILINEAR), np.float32) / 255
        weight = 1 / (1 + np.exp(-_SHARP * (smooth - (_NEAR + (_FAR - _NEAR) * draws[1]))))
        background = _moved(np.asarray(self.images[np.array([donor])])[0, ..., 0], _box(others), _box(lungs))
        inside = smooth > 0.5
        if draws[2] < _MATCHED and inside.any():
            ours, theirs = own[inside], background[inside]
            background = (background - theirs.mean()) * (ours.std() / max(float(theirs.std()), 1.0)) + ours.mean()
        return np.asarray(np.clip(weight * own + (1 - weight) * background, 0, 255), np.float32)


def backgrounds_of(
    images: Rows, rows: NDArray[np.int64], hashes: Sequence[str], masks_of: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
) -> Backgrounds:
    """The backgrounds of training rows.

    Args:
        rows: (n,).
        masks_of: gives the lung masks of some rows, (k, size, size).
    """
    lungs = np.concatenate([_smoothed(masks_of(rows[start : start + _AT_ONCE])) for start in range(0, len(rows), _AT_ONCE)])
    donors = np.array(sorted(rows.tolist(), key=lambda row: hashes[row]), np.int64)
    place = {int(row): number for number, row in enumerate(rows)}
    return Backgrounds(images, donors, lungs, place, tuple(hashes[row] for row in donors))


def _smoothed(masks: NDArray[np.bool_]) -> NDArray[np.uint8]:
    small = [Image.fromarray(np.uint8(255 * mask)).resize((_SIDE, _SIDE), Image.Resampling.BOX) for mask in masks]
    return np.stack([np.uint8(np.round(gaussian_filter(np.asarray(mask, np.float32), 1.5))) for mask in small])


def _box(lungs: NDArray[np.uint8]) -> Box:
    """The box around the lungs; the whole image without lungs."""
    rows, columns = np.flatnonzero((lungs > 127).any(axis=1)), np.flatnonzero((lungs > 127).any(axis=0))
    if not len(rows):
        return 0.0, 0.0, 1.0, 1.0
    return columns[0] / _SIDE, rows[0] / _SIDE, (columns[-1] + 1) / _SIDE, (rows[-1] + 1) / _SIDE


def _moved(image: NDArray[np.uint8], box: Box, to: Box) -> NDArray[np.float32]:
    """The image moved and stretched so that `box` lies where `to` is; reflected beyond its edges."""
    size, pad = len(image), len(image) // 2
    across, along = (box[2] - box[0]) / (to[2] - to[0]), (box[3] - box[1]) / (to[3] - to[1])
    map_to_source = (across, 0, size * (box[0] - across * to[0]) + pad, 0, along, size * (box[1] - along * to[1]) + pad)
    padded = Image.fromarray(np.pad(image, pad, mode="reflect"))
    return np.asarray(padded.transform((size, size), Image.Transform.AFFINE, map_to_source, Image.Resampling.BILINEAR), np.float32)
