"""How training images are moved: one affine map and one exposure change an image and epoch, drawn from the seed alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr.config import AugmentConfig


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


def draw_views(augment: AugmentConfig, size: int, seed: int, epoch: int, rows: NDArray[np.int64]) -> Views:
    """Draw a view for each row of the data in an epoch.

    An image's view depends on seed, epoch and row only: not on the batch it is in, nor on the number of threads.
    """
    draws = np.stack([np.random.Generator(np.random.Philox([seed, epoch, int(row)])).uniform(-1, 1, 7) for row in rows])
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
