"""The first layer of a network whose config prepares images: it erases, evens out, masks and crops, in training and in use alike.

It is part of the saved model, so that no one can forget it. Everything is a product of matrices, a pooling or a comparison, which
each engine computes; lungs are found by the atlas of `cxr.anatomy.lung_atlas`.
"""

from dataclasses import asdict
from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray
from scipy.stats import norm

from cxr.anatomy.lung_atlas import FITTED_AT, MIDDLE, contrasts, placings, shrinking
from cxr.config.schema import PrepareConfig

PREPROCESSED = "prepared"  # the name of the layer
_BINS, _TILES, _CLIP = 32, 4, 3.0  # of histograms; tiles a side, and the height of a bin over an even one, of clahe
_BELL = (128.0, 55.0)  # mean and standard deviation of the histogram that `matched` gives each image
_MARGINS = {"lungs": 0.03, "thorax": 0.12}  # around the atlas' lungs, as a share of the side
_SPOT, _STANDS_OUT = 1 / 28, 40.0  # of a marker: width of strokes as a share of the side, grey levels over what is around it


@keras.saving.register_keras_serializable(package="cxr", name="Preparation")  # its name in stored models
class Preprocessing(keras.layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Grey levels (n, size, size, 3) in 0..255, three times the same, to prepared ones of the same shape.

    In this order: small bright marks outside of the lungs are replaced by what is around them (`markers`); `borders` and `corners`
    are filled with the mean of the image; the `histogram` is evened out; all but the lungs gives way softly to the mean within
    them (`mask`); the rest is cut off (`crop`).
    """

    def __init__(self, settings: dict[str, Any], **more: Any) -> None:
        super().__init__(**({"name": PREPROCESSED, "dtype": "float32", "trainable": False} | more))
        self.settings = PrepareConfig(**settings)

    def get_config(self) -> dict[str, Any]:
        """What Keras saves."""
        return {**super().get_config(), "settings": asdict(self.settings)}

    def call(self, grey: Any) -> Any:
        """Prepare grey levels (n, size, size, 3), float32."""
        settings, size = self.settings, int(grey.shape[1])
        image = grey[..., 0]
        needs_lungs = settings.markers or settings.mask != "none" or settings.crop != "none"
        lungs = _lungs_in(image, size) if needs_lungs else None
        if settings.markers:
            image = _without_markers(image, _within(lungs, size, 1.2, 20.0))
        if settings.borders or settings.corners:
            image = _filled(image, _visible(size, settings.borders, settings.corners))
        if settings.histogram != "as_is":
            image = _evened(image, size, settings.histogram)
        if settings.mask != "none":
            image = _filled(image, _within(lungs, size, settings.dilation, 6.0))
        if settings.crop != "none":
            image = _cropped(image, size, boxes(lungs, settings.crop))
        return ops.repeat(image[..., None], 3, axis=-1)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the images, which stays."""
        return input_shape

    def frames(self, grey: NDArray[Any]) -> NDArray[np.float32]:
        """Left, top, right and bottom of what the crop leaves of images, (n, 4), as shares of the side.

        Args:
            grey: (n, size, size, 1), 0 to 255.
        """
        if self.settings.crop == "none":
            return np.tile(np.array([0, 0, 1, 1], np.float32), (len(grey), 1))
        image = ops.convert_to_tensor(np.asarray(grey[..., 0], np.float32))
        return np.asarray(ops.convert_to_numpy(boxes(_lungs_in(image, grey.shape[1]), self.settings.crop)), np.float32)


def preprocessing_of(model: keras.Model) -> Preprocessing | None:
    """The layer of a model that prepares images, if it has one."""
    return next((layer for layer in model.layers if isinstance(layer, Preprocessing)), None)


def boxes(lungs: Any, crop: str) -> Any:
    """Left, top, right and bottom of the lungs with a margin, (n, 4), within the image."""
    apart, width, height, right, down = (lungs[:, place] for place in range(5))
    margin = _MARGINS[crop]
    across, along = apart + width + margin, height + margin
    sides = ops.stack([0.5 + right - across, MIDDLE + down - along, 0.5 + right + across, MIDDLE + down + along], axis=1)
    return ops.clip(sides, 0.0, 1.0)


def _lungs_in(image: Any, size: int) -> Any:
    """The placing of the atlas in each image, (n, 5)."""
    shrink = ops.convert_to_tensor(shrinking(size))
    small = ops.matmul(ops.matmul(shrink, image), ops.transpose(shrink))
    fits = ops.matmul(ops.reshape(small, (-1, FITTED_AT * FITTED_AT)), ops.convert_to_tensor(contrasts().T))
    table = np.array([[lung.apart, lung.width, lung.height, lung.right, lung.down] for lung in placings()], np.float32)
    best = ops.cast(fits >= ops.max(fits, axis=1, keepdims=True), "float32")  # not argmax, which OpenVINO can't convert from Keras
    return ops.matmul(best / ops.sum(best, axis=1, keepdims=True), ops.convert_to_tensor(table))


def _within(lungs: Any, size: int, larger: float, steepness: float) -> Any:
    """From 1 in the lungs to 0 outside of ellipses that are larger by a factor, (n, size, size)."""
    axis = np.float32((np.arange(size) + 0.5) / size)
    apart, width, height, right, down = (lungs[:, place][:, None, None] for place in range(5))
    x, y = ops.convert_to_tensor(axis)[None, None, :] - 0.5 - right, ops.convert_to_tensor(axis)[None, :, None] - MIDDLE - down
    radius = ops.square((ops.abs(x) - apart) / (width * larger)) + ops.square(y / (height * larger))
    return ops.sigmoid(steepness * (1 - radius))


def _filled(image: Any, visible: Any) -> Any:
    """The image where `visible` is 1, and the mean grey level of that where it is 0."""
    weights = visible + ops.zeros_like(image)
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


def _without_markers(image: Any, lungs: Any) -> Any:
    """Without small marks that are brighter than what is around them: what a morphological opening removes (white top-hat)."""
    width = max(5, round(int(image.shape[1]) * _SPOT) | 1)
    grey = image[..., None]
    opened = ops.max_pool(-ops.max_pool(-grey, width, 1, "same"), width, 1, "same")
    marks = ops.cast(grey - opened > _STANDS_OUT, grey.dtype)
    near = ops.max_pool(marks, 3, 1, "same") * (1 - lungs[..., None])
    return (grey * (1 - near) + opened * near)[..., 0]


def _evened(image: Any, size: int, how: str) -> Any:
    """The image through the cumulative histogram of itself, or of the tiles around each pixel (Zuiderveld 1994: CLAHE)."""
    tiles = _TILES if how == "clahe" else 1
    pool = _pooling(size, tiles)
    spread = ops.convert_to_tensor(shrinking(tiles, size) if tiles > 1 else np.ones((size, 1), np.float32))
    wide = 256 / _BINS
    shares = []
    for low in np.arange(_BINS) * wide:
        inside = ops.cast(ops.logical_and(image >= low, image < low + wide), image.dtype)
        shares.append(ops.matmul(ops.matmul(pool, inside), ops.transpose(pool)))
    counts = ops.stack(shares, axis=-1)
    if how == "clahe":
        most = _CLIP / _BINS
        counts = ops.minimum(counts, most) + ops.sum(ops.maximum(counts - most, 0.0), axis=-1, keepdims=True) / _BINS
    risen = ops.zeros_like(image)
    for place, low in enumerate(np.arange(_BINS) * wide):
        here = ops.matmul(ops.matmul(spread, counts[..., place]), ops.transpose(spread))
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


def _pooling(size: int, tiles: int) -> Any:
    """A matrix (tiles, size) of means over equal parts of a line."""
    owner = np.arange(size) * tiles // size
    weights = np.float32(owner[None] == np.arange(tiles)[:, None])
    return ops.convert_to_tensor(weights / weights.sum(axis=1, keepdims=True))


def _cropped(image: Any, size: int, frames: Any) -> Any:
    """The part of each image in its frame, (n, 4), at the size of the whole, by triangle weights."""
    across, along = _taking(size, frames[:, 0], frames[:, 2]), _taking(size, frames[:, 1], frames[:, 3])
    return ops.matmul(ops.matmul(along, image), ops.transpose(across, (0, 2, 1)))


def _taking(size: int, start: Any, end: Any) -> Any:
    """For each image a matrix (size, size) that takes a line of pixels to its part from `start` to `end`."""
    places = ops.convert_to_tensor(np.float32((np.arange(size) + 0.5) / size))[None]
    centres = (start[:, None] + places * (end - start)[:, None]) * size - 0.5
    pixels = ops.convert_to_tensor(np.arange(size, dtype=np.float32))
    near = ops.maximum(0.0, 1 - ops.abs(pixels[None, None] - ops.clip(centres, 0.0, size - 1.0)[..., None]))
    return near / ops.sum(near, axis=-1, keepdims=True)
