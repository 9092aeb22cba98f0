"""The saved model of a run as an audit asks it. Loads TensorFlow."""

from functools import cached_property
from itertools import chain
from pathlib import Path

import keras
import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.model.grad_cam import GradCam, grad_cam, saliency_maps
from cxr.model.saved import load_model
from cxr.system import cores
from cxr.training.engine import Engine, EngineUnusable, Name, choose_engine, in_batches, make_engine

_LOOK_AHEAD = 128  # images that are converted at once; whole batches of every engine


class SavedTrainedModel:
    """A saved model; the engine that is fastest here computes pooled features and probabilities together, side by side."""

    def __init__(self, network: GradCam, together: keras.Model, name: Name) -> None:
        self.network, self._together, self._name = network, together, name

    def score(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Probabilities (n, classes) and pooled features (n, channels)."""
        try:
            found = self._computed(images)
        except EngineUnusable:  # TensorFlow computes whatever it saved
            self._name = "tensorflow"
            self.__dict__.pop("_engine", None)
            found = self._computed(images)
        classes = self.network.saved.model.output.shape[-1]
        probabilities = found[:, -classes:].astype(np.float64)
        return probabilities / probabilities.sum(axis=1, keepdims=True), found[:, :-classes]

    def saliency(self, images: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """What of Grad-CAM is above 0: evidence for the class."""
        return np.maximum(saliency_maps(self.network, images, classes), 0)

    @cached_property
    def _engine(self) -> Engine:
        return make_engine(self._name, self._together, "float32", cores())

    def _computed(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        starts = range(0, len(images), _LOOK_AHEAD)
        some = (in_batches(images[start : start + _LOOK_AHEAD].astype(np.float32), self._name) for start in starts)
        return np.concatenate(list(self._engine(chain.from_iterable(some))))[: len(images)]


def open_model(path: Path, config: Config) -> SavedTrainedModel:
    """Open the saved model of a run; raises `UserError` for a file that is none, or has no feature map."""
    try:
        network = grad_cam(load_model(path))
    except (ValueError, OSError) as error:
        raise UserError(f"{path} can't be opened: {' '.join(str(error).split())}") from None
    saved, in_full = network.saved, keras.DTypePolicy("float32")
    pooled = keras.layers.GlobalAveragePooling2D(dtype=in_full)(saved.feature_map)
    both = keras.layers.Concatenate(dtype=in_full)([pooled, saved.model.output])
    return SavedTrainedModel(network, keras.Model(saved.model.input, both), choose_engine(config.engine, config.training.precision))
