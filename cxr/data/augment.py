"""How training images are moved: one affine map and one exposure change an image and epoch, drawn from the seed alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import FRESH, AugmentConfig


@dataclass(frozen=True)
class Views:
    """What to do to each image of a batch.

    `transforms` (n, 8) float32: rows (a0, a1, a2, b0, b1, b2, 0, 0) of the map from output to input pixels,
    x' = a0 x + a1 y + a2 and y' = b0 x + b1 y + b2. `gain` and `offset` (n,) float32 act on grey levels around mid-grey.
    """

    transforms: NDArray[np.float32]
    gain: NDArray[np.float32]
    offset: NDArray[np.float32]


def changes_nothing(augment: AugmentConfig) -> bool:
    """Whether this augmentation leaves every image as it is."""
    return not any(
        (augment.rotation_degrees, augment.translation, augment.zoom, augment.shear_degrees, augment.brightness, augment.contrast)
    )


def view_of_epoch(augment: AugmentConfig, epoch: int) -> int | None:
    """Which view of each image an epoch (from 0 over all phases) shows: a new one, or one of `augment.views` in turn.

    None where views do not differ, because nothing is augmented.

    >>> [view_of_epoch(AugmentConfig(zoom=0.1, views=views), 5) for views in ("fresh", "4")], view_of_epoch(AugmentConfig(), 5)
    ([5, 1], None)
    """
    if changes_nothing(augment):
        return None
    return epoch if augment.views == FRESH else epoch % int(augment.views)


def draw_views(augment: AugmentConfig, size: int, seed: int, view: int, hashes: Sequence[str]) -> Views:
    """Draw view number `view` of each image, given by its pixel hash (sha256 in hex).

    What is drawn depends on seed, view and pixels only: not on the images around it, its batch or the number of threads.
    """
    draws = np.stack([np.random.Generator(np.random.Philox([seed, view, int(each[:16], 16)])).uniform(-1, 1, 7) for each in hashes])
    turn, right, down, zoom, shear, light, contrast = draws.T
    angle = np.deg2rad(augment.rotation_degrees) * turn
    slant = np.tan(np.deg2rad(augment.shear_degrees) * shear)
    scale = 1 + augment.zoom * zoom
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    a0, a1 = cos, cos * slant - sin
    b0, b1 = sin, sin * slant + cos
    centre = (size - 1) / 2
    a2 = centre * (1 - a0 - a1) + augment.translation * size * right
    b2 = centre * (1 - b0 - b1) + augment.translation * size * down
    zero = np.zeros_like(a0)
    return Views(
        transforms=np.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1).astype(np.float32),
        gain=(1 + augment.contrast * contrast).astype(np.float32),
        offset=(255 * augment.brightness * light).astype(np.float32),
    )
