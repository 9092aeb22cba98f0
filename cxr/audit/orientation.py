"""Orientation: whether a chest radiograph is upright, or turned, upside down or a negative, by a few hundred pixels.

The network's own features may not show it: one that trains on turned images learns to overlook that. So this is a model of its own,
fitted on training images and on turned copies of them, after the self-supervised task of Gidaris et al.,
"Unsupervised Representation Learning by Predicting Image Rotations" (ICLR 2018).
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from cxr.audit.gate import LEAST
from cxr.cache.memoized import memoized_by_content

Images = NDArray[np.uint8]  # (n, size, size, 1)

_SIDE = 16  # pixels that an image is averaged to
_PENALTY = 0.01  # as C of logistic regression: few images and many pixels
# What may have been done to a radiograph; the first is nothing.
KINDS: dict[str, Callable[[Images], Images]] = {
    "upright": lambda images: images,
    "upside down": lambda images: images[:, ::-1],
    "turned by 180 degrees": lambda images: images[:, ::-1, ::-1],
    "turned to the left": lambda images: np.rot90(images, 1, axes=(1, 2)),
    "turned to the right": lambda images: np.rot90(images, -1, axes=(1, 2)),
    "inverted": lambda images: 255 - images,
}


@dataclass(frozen=True)
class Orientation:
    """A logistic regression on standardised pixels; `weights` (kinds, pixels + 1) float32 end in the intercepts."""

    weights: NDArray[np.float32]

    def kinds(self, images: Images) -> list[str]:
        """The most probable kind of each image.

        Args:
            images: (n, size, size, 1).
        """
        scores = _pixels(images) @ self.weights[:, :-1].T + self.weights[:, -1]
        return [list(KINDS)[place] for place in scores.argmax(axis=1)]


@memoized_by_content(lambda images: (images,), most=4)
def fit_orientation(images: Images) -> Orientation | None:
    """Fit; None with fewer than 30, or where they are all alike.

    Args:
        images: (n, size, size, 1), upright.
    """
    if len(images) < LEAST or not np.ptp(images, axis=0).any():
        return None
    seen = np.concatenate([_pixels(change(images)) for change in KINDS.values()])
    spread = seen.std(axis=0) + 1e-6
    kinds = np.repeat(np.arange(len(KINDS)), len(images))
    fitted = LogisticRegression(C=_PENALTY, max_iter=500).fit((seen - seen.mean(axis=0)) / spread, kinds)
    weights = fitted.coef_ / spread
    intercepts = fitted.intercept_ - weights @ seen.mean(axis=0)
    return Orientation(np.concatenate([weights, intercepts[:, None]], axis=1).astype(np.float32))


def write_orientation(orientation: Orientation, path: Path) -> None:
    """Write as arrays."""
    np.savez(path, weights=orientation.weights)


def read_orientation(path: Path) -> Orientation:
    """Read what was written; nothing in the file is run.

    Raises:
        ValueError, KeyError, OSError: The file holds no orientation.
    """
    with np.load(path, allow_pickle=False) as file:
        weights = np.asarray(file["weights"], np.float32)
    if weights.shape != (len(KINDS), _SIDE**2 + 1) or not np.isfinite(weights).all():
        raise ValueError(f"weights of shape {weights.shape}, or not finite")
    return Orientation(weights)


def _pixels(images: Images) -> NDArray[np.float32]:
    """Means over a grid of cells, of mean 0 and about unit variance in each image, (n, pixels)."""
    size = images.shape[1]
    edges = np.linspace(0, size, _SIDE + 1).round().astype(int)
    grey = images[..., 0].astype(np.float32)
    sums = np.add.reduceat(np.add.reduceat(grey, edges[:-1], axis=1), edges[:-1], axis=2)
    cells = np.diff(edges)
    flat = (sums / (cells[:, None] * cells)).reshape(len(images), -1)
    return np.asarray((flat - flat.mean(axis=1, keepdims=True)) / (flat.std(axis=1, keepdims=True) + 5), np.float32)
