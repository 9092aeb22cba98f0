"""Grad-CAM of a saved classifier, and the randomisation of its weights as a check of the maps."""

from collections.abc import Iterator
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from cxr.model.keras_private import source_of
from cxr.model.preprocessing import FRAMES
from cxr.model.saved import SavedModel
from cxr.model.stored_preprocessing import StoredPreprocessing

_AT_ONCE = 16  # images, which bounds memory
# How much of the network is randomised, from the output downward: its head, then as much of the backbone, then all of it.
STAGES = {"head": 0.0, "head and top third of the backbone": 1 / 3, "all weights": 1.0}


@dataclass(frozen=True)
class GradCam:
    """A saved classifier, and the part of it from its last feature map to logits."""

    saved: SavedModel
    head: keras.Model

    @property
    def layer(self) -> str:
        """The layer that makes the feature map."""
        return str(source_of(self.saved.feature_map).name)


def grad_cam(saved: SavedModel) -> GradCam:
    """Split a classifier at its last feature map.

    Raises:
        ValueError: There is no such map, or no logits and softmax follow.
    """
    last = saved.model.layers[-1]
    if saved.feature_map is None or not isinstance(last, keras.layers.Softmax):
        raise ValueError("the model has no feature map that logits and a softmax follow")
    return GradCam(saved, keras.Model(saved.feature_map, last.input))


def saliency_maps(network: GradCam, grey: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Grad-CAM of one class for each image, (n, rows, columns); values above 0 are evidence for the class.

    Rows and columns are those of the feature map; where the model crops images, twice as many, and 0 in what is cut off. The
    feature maps are weighed by the mean gradient of the class's logit and summed.

    Args:
        grey: (n, size, size, 1), 0 to 255.
        classes: (n,), indices.

    Source:
        Selvaraju et al. 2017, equation 1, and 2 without cutting off what is below 0.
    """
    batches = [slice(start, start + _AT_ONCE) for start in range(0, len(grey), _AT_ONCE)]
    none = np.empty((0, *network.saved.feature_map.shape[1:3]), np.float32)
    maps = np.concatenate([none, *(_maps_of(network, grey[batch], classes[batch]) for batch in batches)])
    frames = frames_of(network.saved.model, grey)
    return maps if frames is None else _placed_back(maps, frames)


def frames_of(model: keras.Model, grey: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Left, top, right and bottom of what a model's crop leaves of images, (n, 4), as shares of the side; None without a crop.

    Args:
        grey: (n, size, size, 1), 0 to 255.
    """
    images = np.repeat(grey, 3, axis=-1).astype(np.float32)
    for step in model.operations:
        if step.name == FRAMES:
            return np.asarray(keras.Model(model.input, step.output)(images))
        if isinstance(step, StoredPreprocessing):
            return step.frames(images)
    return None


def _placed_back(maps: NDArray[np.float32], frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps of cropped images (n, rows, columns), in the frame of the whole image, (n, 2 rows, 2 columns); `frames` as shares."""
    rows, columns = 2 * maps.shape[1], 2 * maps.shape[2]
    placed = np.zeros((len(maps), rows, columns), np.float32)
    for place, cropped, (left, top, right, bottom) in zip(placed, maps, frames, strict=True):
        y = ((np.arange(rows) + 0.5) / rows - top) / (bottom - top)
        x = ((np.arange(columns) + 0.5) / columns - left) / (right - left)
        inside = ((y >= 0) & (y <= 1))[:, None] & ((x >= 0) & (x <= 1))[None]
        points = np.meshgrid(y * cropped.shape[0] - 0.5, x * cropped.shape[1] - 0.5, indexing="ij")
        place[...] = np.where(inside, map_coordinates(cropped, points, order=1, mode="nearest"), 0)
    return placed


def randomised(network: GradCam) -> Iterator[str]:
    """Yield each of `STAGES` while the weights of that part of the network are shuffled; at the end all are what they were.

    Within each weight tensor values are permuted, from the output downward, each stage with what the one before did too.

    Source:
        Cascading randomisation: Adebayo et al., "Sanity Checks for Saliency Maps", 2018, section 3.
    """
    layers = [layer for layer in network.saved.model.layers if layer.weights]
    above = [layer for layer in layers if layer in network.head.layers]
    below = [layer for layer in layers if layer not in network.head.layers]
    rng, done = np.random.default_rng(0), 0
    below_map, values = network.saved.weights_below(), network.saved.model.get_weights()
    try:
        for name, share in STAGES.items():
            reach = round(share * len(below))
            chosen = above if done == 0 and name == "head" else below[len(below) - reach : len(below) - done]
            for layer in chosen:
                layer.set_weights([rng.permutation(value.ravel()).reshape(value.shape) for value in layer.get_weights()])
            done = reach
            # The shuffled weights depend on the first ones alone: other runs with the same backbone need not compute their maps.
            network.saved.weights_changed(known_as=f"{below_map} shuffled: {reach} layers" if reach else below_map)
            yield name
    finally:
        network.saved.model.set_weights(values)
        network.saved.weights_changed(known_as=below_map)


def _maps_of(network: GradCam, grey: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
    maps = network.saved.features(grey.astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(maps)
        chosen = tf.gather(network.head(maps, training=False), classes, axis=1, batch_dims=1)
    weights = tf.reduce_mean(tape.gradient(chosen, maps), axis=(1, 2), keepdims=True)
    return np.asarray(tf.reduce_sum(weights * maps, axis=-1), np.float32)
