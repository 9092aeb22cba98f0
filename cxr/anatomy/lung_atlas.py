"""An atlas of two ellipses that is placed where an image is darkest against its background: lungs where no mask is known."""

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from cxr.cache.memoized import memoized_by_content

# As shares of the image: height of lung centres, their distance from the middle, half widths and heights, shifts.
MIDDLE = 0.46
_APART, _HALF_WIDTHS, _HALF_HEIGHTS = (0.17, 0.19, 0.22), (0.11, 0.135, 0.16, 0.185), (0.22, 0.27, 0.32, 0.37)
_SHIFTS_X, _SHIFTS_Y = (-0.06, -0.03, 0.0, 0.03, 0.06), (-0.08, -0.04, 0.0, 0.04, 0.08)
_RING = 1.25  # the ring that lungs are compared with, as a multiple of their size
FITTED_AT = 64  # pixels


@dataclass(frozen=True)
class Placing:
    """One place of the atlas: distance of the lungs' centres from the middle, half width and height, shift right and down."""

    apart: float
    width: float
    height: float
    right: float
    down: float

    def ellipses(self, size: int, larger: float = 1.0) -> NDArray[np.bool_]:
        """The ellipses in an image of `size` pixels, (size, size), or ellipses that are larger by a factor."""
        axis = (np.arange(size) + 0.5) / size
        x, y = np.meshgrid(axis - 0.5 - self.right, axis - MIDDLE - self.down)
        return np.asarray(
            ((np.abs(x) - self.apart) / (self.width * larger)) ** 2 + (y / (self.height * larger)) ** 2 < 1, dtype=np.bool_
        )


@cache
def placings() -> tuple[Placing, ...]:
    """Every place of the atlas that is tried."""
    return tuple(Placing(*place) for place in product(_APART, _HALF_WIDTHS, _HALF_HEIGHTS, _SHIFTS_X, _SHIFTS_Y))


@cache
def contrasts() -> NDArray[np.float32]:
    """For each placing the weights of pixels, (placings, 64 * 64), whose sum is the mean around the ellipses less that within."""
    weights = []
    for placing in placings():
        inside = placing.ellipses(FITTED_AT)
        ring = placing.ellipses(FITTED_AT, _RING) & ~inside
        weights.append((ring / ring.sum() - inside / inside.sum()).ravel())
    return np.asarray(weights, np.float32)


def shrinking(size: int, to: int = FITTED_AT) -> NDArray[np.float32]:
    """A matrix (to, size) of triangle weights that takes a line of pixels to another number of pixels; rows sum to 1.

    `shrinking(size) @ image @ shrinking(size).T` is the image at 64 x 64 pixels. A product of matrices is the same in every
    library, which resizing is not.
    """
    scale = max(size / to, 1.0)
    centres = (np.arange(to) + 0.5) * size / to - 0.5
    weights = np.maximum(0, 1 - np.abs(np.arange(size)[None] - centres[:, None]) / scale)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def fit(images: NDArray[np.uint8]) -> list[Placing]:
    """The placing of each image.

    Args:
        images: (n, size, size, 1).
    """
    shrink = shrinking(images.shape[1])
    small = np.stack([(shrink @ image[..., 0].astype(np.float32) @ shrink.T).ravel() for image in images])
    return [placings()[best] for best in (small @ contrasts().T).argmax(axis=1)]


@memoized_by_content(lambda images: images, most=2)
def fit_atlas(images: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Two ellipses in each image, (n, size, size), where they are darkest against their background.

    Args:
        images: (n, size, size, 1).
    """
    return np.stack([placing.ellipses(images.shape[1]) for placing in fit(images)])
