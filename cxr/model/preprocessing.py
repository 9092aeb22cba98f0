"""The first steps of a network whose config prepares images: it erases, evens out, masks and crops, in training and in use alike.

They are part of the saved model, so that no one can forget them, and stock operations of Keras, so that `keras.saving.load_model`
needs no cxr: products of matrices, poolings and comparisons, which each engine computes. Lungs are found by the network of
`cxr.anatomy.lung_network`, whose layers are among them.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy.stats import norm

from cxr.anatomy.lung_atlas import shrinking
from cxr.anatomy.lung_network import SIDE
from cxr.anatomy.lung_shape import CERTAIN, SHARE
from cxr.config.schema import PrepareConfig
from cxr.model.lung_layers import lung_probability

FRAMES = "frames"  # the name of the step that says where images are cropped
_BINS, _TILES, _CLIP = 32, 4, 3.0  # of histograms; tiles a side, and the height of a bin over an even one, of clahe
_BELL = (128.0, 55.0)  # mean and standard deviation of the histogram that `matched` gives each image
MARGINS = {"lungs": 0.03, "thorax": 0.12}  # around the lungs, as a share of the side
_SPOT, _STANDS_OUT = 1 / 28, 40.0  # of a marker: width of strokes as a share of the side, grey levels over what is around it
_HALF_WIDTH = 0.18  # of a lung, as a share of the side: a mask that is larger by a tenth is wider by a tenth of it
_SOFT = 1 / 28  # of the side, over which a mask ends
_FEW = 0.02  # of a row or column, up to which lung in it does not count


class Lungs(Protocol):
    """The lungs in images (n, size, size)."""

    def around(self, larger: float, soft: bool) -> Any:
        """1 in lungs that are larger by a factor, 0 elsewhere, (n, size, size); softly so, or not."""

    def boxes(self, crop: str) -> Any:
        """Left, top, right and bottom of the lungs with a margin of `MARGINS`, (n, 4), as shares of the side."""


@dataclass(frozen=True)
class FoundLungs:
    """Lungs by a mask of 0 and 1, (n, size, size)."""

    mask: Any
    size: int

    @staticmethod
    def found_in(image: Any, size: int) -> "FoundLungs":
        """By the network, in images (n, size, size). Where it finds hardly any or nothing else, or is not certain, all is lung."""
        shrink, spread = shrinking(size, SIDE), shrinking(SIDE, size)
        probability = lung_probability(ops.matmul(ops.matmul(shrink, image), shrink.T)[..., None])[..., 0]
        lungs = ops.cast(probability > 0.5, "float32")
        share = ops.mean(lungs, axis=(1, 2), keepdims=True)
        certainty = ops.mean(lungs * probability, axis=(1, 2), keepdims=True) / (share + 1e-6)
        is_found = ops.logical_and(ops.logical_and(share > SHARE[0], share < SHARE[1]), certainty > CERTAIN)
        mask = ops.cast(ops.matmul(ops.matmul(spread, probability), spread.T) > 0.5, "float32")
        return FoundLungs(ops.maximum(mask, 1 - ops.cast(is_found, "float32")), size)

    def around(self, larger: float, soft: bool) -> Any:
        """As `Lungs` says."""
        wider = 2 * round((larger - 1) * _HALF_WIDTH * self.size) + 1
        mask = ops.max_pool(self.mask[..., None], wider, 1, "same")
        return (ops.average_pool(mask, round(_SOFT * self.size) | 1, 1, "same") if soft else mask)[..., 0]

    def boxes(self, crop: str) -> Any:
        """As `Lungs` says."""
        edges, margin = np.arange(self.size, dtype=np.float32) / self.size, MARGINS[crop]
        ends = []
        for axis in (1, 2):  # columns that have lung, then rows
            has_lung = ops.mean(self.mask, axis=axis) > _FEW
            ends.append(ops.min(ops.where(has_lung, edges, 1.0), axis=1) - margin)
            ends.append(ops.max(ops.where(has_lung, edges + 1 / self.size, 0.0), axis=1) + margin)
        left, right, top, bottom = ends
        sides = ops.clip(ops.stack([left, top, right, bottom], axis=1), 0.0, 1.0)
        return keras.layers.Identity(name=FRAMES, dtype="float32")(sides)


def preprocessed(images: Any, settings: PrepareConfig) -> Any:
    """Prepare grey levels in 0..255, three times the same.

    Args:
        images: (n, size, size, 3), symbolic.

    Returns:
        The same shape, symbolic. Steps have names that do not depend on other networks.
    """
    image, size = images[..., 0], int(images.shape[1])
    lungs = FoundLungs.found_in(image, size) if settings.needs_lungs else None
    prepared = ops.repeat(apply_steps(image, size, settings, lungs)[..., None], 3, axis=-1)
    for number, step in enumerate(keras.Model(images, prepared).operations[1:]):
        if step.name != FRAMES:
            step.name = f"prepared_{number}"
    return prepared


def apply_steps(image: Any, size: int, settings: PrepareConfig, lungs: Lungs | None) -> Any:
    """Prepare grey levels (n, size, size); `lungs` where the settings need them.

    In this order: small bright marks outside of the lungs are replaced by what is around them (`markers`); `borders` and `corners`
    are filled with the mean of the image; the `histogram` is evened out; all but the lungs gives way softly to the mean within
    them (`mask`); the rest is cut off (`crop`).
    """
    if settings.markers and lungs:
        image = _without_markers(image, size, lungs.around(1.2, soft=False))
    if settings.borders or settings.corners:
        image = _filled(image, _visible(size, settings.borders, settings.corners))
    if settings.histogram != "as_is":
        image = _evened(image, size, settings.histogram)
    if settings.mask != "none" and lungs:
        image = _filled(image, lungs.around(settings.dilation, soft=True))
    if settings.crop != "none" and lungs:
        image = _cropped(image, size, lungs.boxes(settings.crop))
    return image


def _filled(image: Any, visible: Any) -> Any:
    """The image where `visible` is 1, and the mean grey level of that where it is 0."""
    weights = ops.zeros_like(image) + visible
    mean = ops.sum(image * weights, axis=(1, 2), keepdims=True) / (ops.sum(weights, axis=(1, 2), keepdims=True) + 1e-6)
    return image * visible + mean * (1 - visible)


def _visible(size: int, borders: float, corners: float) -> NDArray[np.float32]:
    """0 in the borders and corners, 1 elsewhere, (1, size, size)."""
    visible = np.ones((1, size, size), np.float32)
    edge, corner = round(size * borders), round(size * corners)
    for part in (slice(0, edge), slice(size - edge, size)):
        visible[:, part, :] = visible[:, :, part] = 0
    for rows in (slice(0, corner), slice(size - corner, size)):
        for columns in (slice(0, corner), slice(size - corner, size)):
            visible[:, rows, columns] = 0
    return visible


def _without_markers(image: Any, size: int, lungs: Any) -> Any:
    """Without small marks that are brighter than what is around them: what a morphological opening removes (white top-hat)."""
    width = max(5, round(size * _SPOT) | 1)
    grey = image[..., None]
    opened = ops.max_pool(-ops.max_pool(-grey, width, 1, "same"), width, 1, "same")
    marks = ops.cast(grey - opened > _STANDS_OUT, grey.dtype)
    near = ops.max_pool(marks, 3, 1, "same") * (1 - lungs[..., None])
    return (grey * (1 - near) + opened * near)[..., 0]


def _evened(image: Any, size: int, how: str) -> Any:
    """The image through the cumulative histogram of itself, or of the tiles around each pixel (Zuiderveld 1994: CLAHE)."""
    tiles = _TILES if how == "clahe" else 1
    pool = _pooling(size, tiles)
    spread = shrinking(tiles, size) if tiles > 1 else np.ones((size, 1), np.float32)
    wide = 256 / _BINS
    shares = []
    for low in np.arange(_BINS) * wide:
        inside = ops.cast(ops.logical_and(image >= low, image < low + wide), image.dtype)
        shares.append(ops.matmul(ops.matmul(pool, inside), pool.T))
    counts = ops.stack(shares, axis=-1)
    if how == "clahe":
        most = _CLIP / _BINS
        counts = ops.minimum(counts, most) + ops.sum(ops.maximum(counts - most, 0.0), axis=-1, keepdims=True) / _BINS
    risen = ops.zeros_like(image)
    for place, low in enumerate(np.arange(_BINS) * wide):
        here = ops.matmul(ops.matmul(spread, counts[..., place]), spread.T)
        risen = risen + here * ops.clip((image - low) / wide, 0.0, 1.0)
    return _bell(risen) if how == "matched" else 255 * risen


def _bell(ranks: Any) -> Any:
    """Ranks from 0 to 1 to grey levels with a normal histogram, between 16 steps of its quantile function."""
    mean, spread = _BELL
    steps = np.clip(mean + spread * norm.ppf(np.clip(np.linspace(0, 1, 17), 0.005, 0.995)), 0, 255)
    levels = ops.zeros_like(ranks) + float(steps[0])
    for place, rise in enumerate(np.diff(steps)):
        levels = levels + float(rise) * ops.clip(ranks * 16 - place, 0.0, 1.0)
    return levels


def _pooling(size: int, tiles: int) -> NDArray[np.float32]:
    """A matrix (tiles, size) of means over equal parts of a line."""
    owner = np.arange(size) * tiles // size
    weights = np.float32(owner[None] == np.arange(tiles)[:, None])
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def _cropped(image: Any, size: int, frames: Any) -> Any:
    """The part of each image in its frame, (n, 4), at the size of the whole, by triangle weights."""
    across, along = _taking(size, frames[:, 0], frames[:, 2]), _taking(size, frames[:, 1], frames[:, 3])
    return ops.matmul(ops.matmul(along, image), ops.transpose(across, (0, 2, 1)))


def _taking(size: int, start: Any, end: Any) -> Any:
    """For each image a matrix (size, size) that takes a line of pixels to its part from `start` to `end`."""
    places = (np.arange(size, dtype=np.float32)[None] + 0.5) / size
    centres = (start[:, None] + (end - start)[:, None] * places) * size - 0.5
    pixels = np.arange(size, dtype=np.float32)[None, None]
    near = ops.maximum(0.0, 1 - ops.abs(ops.clip(centres, 0.0, size - 1.0)[..., None] - pixels))
    return near / ops.sum(near, axis=-1, keepdims=True)
