"""The saved model of a run: probabilities and features of images that are in no data set. Loads TensorFlow."""

import hashlib
import json
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cxr.cache.rows import RowsLost
from cxr.cache.shards import CacheUnusable, Values
from cxr.cache.store import Cache
from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.model.construction import architecture_of
from cxr.model.freeze import HEAD, POOLED
from cxr.model.grad_cam import GradCam, grad_cam, saliency_maps
from cxr.model.saved import load_model
from cxr.system import cores
from cxr.training.engine import Engine, EngineUnusable, Name, choose_engine, compute_all, make_engine
from cxr.training.frozen import key_of


class SavedTrainedModel:
    """A saved model; the engine that is fastest here computes pooled features, and TensorFlow what the head makes of them.

    With a `cache` pooled features of an image are computed once by a frozen backbone, which all runs with it share.
    """

    def __init__(self, network: GradCam, config: Config, cache: Cache | None) -> None:
        model, in_full = network.saved.model, keras.DTypePolicy("float32")
        pooled = keras.layers.GlobalAveragePooling2D(dtype=in_full)(network.saved.feature_map)
        self.network, self._config = network, config
        self._is_frozen = config.freeze.trainable_from == HEAD
        self._cache = cache if self._is_frozen else None
        self._body = keras.Model(model.input, pooled)
        self._head = keras.Model(model.get_layer(POOLED).output, model.output)
        self._name: Name = choose_engine(config.engine, config.training.precision)
        self._engines: dict[str, Engine] = {}  # by the layer whose features they compute

    @property
    def body(self) -> str | None:
        """Names the backbone and the engine, where the backbone is frozen; None for one that was trained."""
        return json.dumps(self._key, sort_keys=True, default=str) if self._is_frozen else None

    def head(self, pooled: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities, (n, classes).

        Args:
            pooled: (n, channels).
        """
        probabilities = np.asarray(self._head(pooled, training=False), np.float64)
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))

    def score(self, images: NDArray[np.uint8]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Probabilities (n, classes) and pooled features (n, channels).

        Args:
            images: (n, size, size, 1).
        """
        pooled = self._by_engine(lambda: self._pooled(images))
        return self.head(pooled), pooled

    def features(self, images: NDArray[np.uint8], layer: str) -> NDArray[np.float32]:
        """Features of the layer of that name (of `cxr.model.architecture`), means over all places of its maps, (n, channels).

        Args:
            images: (n, size, size, 1).
        """
        if layer == POOLED:
            return self.score(images)[1]
        return self._by_engine(lambda: self._computed(layer, lambda: self._mean_of(layer), images))

    def score_and_features(self, images: NDArray[np.uint8], layer: str) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Probabilities (n, classes) and `features` of a layer (n, channels); no image changes what another gets.

        Args:
            images: (n, size, size, 1).
        """
        if layer == POOLED:
            pooled = self.score(images)[1]
            return self._head_by_row(pooled), pooled

        def both() -> Any:
            return keras.layers.Concatenate(dtype=keras.DTypePolicy("float32"))([self._body.output, self._mean_of(layer)])

        features = self._by_engine(lambda: self._computed(f"{layer} and {POOLED}", both, images))
        channels = int(self._body.output.shape[-1])
        return self._head_by_row(features[:, :channels]), features[:, channels:]

    def _head_by_row(self, pooled: NDArray[np.float32]) -> NDArray[np.float64]:
        """As `head`, row by row: products of matrices round by the number of their rows."""
        rows = [self._head_of_one(row[None]).numpy() for row in pooled]
        none = np.empty((0, int(self._head.output.shape[-1])), np.float32)
        probabilities = np.concatenate([none, *rows]).astype(np.float64)
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))

    @cached_property
    def _head_of_one(self) -> Callable[[Any], Any]:
        spec = tf.TensorSpec((1, *self._head.input.shape[1:]), tf.float32)
        head = tf.function(lambda row: self._head(row, training=False), input_signature=[spec], autograph=False)
        return cast(Callable[[Any], Any], head)

    def _by_engine(self, work: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """The result of `work`; what the engine can't compute TensorFlow does from then on: it computes whatever it saved."""
        try:
            return work()
        except EngineUnusable:
            self._name = "tensorflow"
            self._engines.clear()
            self.__dict__.pop("_key", None)
            return work()

    def _mean_of(self, layer: str) -> Any:
        """The mean of a layer's maps over their places, as a symbolic tensor."""
        model = self.network.saved.model
        named = dict(zip((step.name for step in architecture_of(model).layers), model.operations, strict=True))
        # A name of its own: in another thread Keras would begin again to count, and take one that the network has.
        return keras.layers.GlobalAveragePooling2D(dtype=keras.DTypePolicy("float32"), name="mean_of_maps")(named[layer].output)

    def saliency(self, images: NDArray[np.uint8], classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """What of Grad-CAM is above 0, (n, rows, columns): evidence for the class.

        Args:
            images: (n, size, size, 1).
            classes: (n,), indices.
        """
        return np.maximum(saliency_maps(self.network, images, classes), 0)

    @cached_property
    def _key(self) -> dict[str, Any]:
        return {**key_of(self._body, self._config, self._name), "pooled": "of changed images"}

    def _pooled(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if self._cache is None:
            return self._computed(POOLED, lambda: self._body.output, images)

        def compute(places: NDArray[np.int64]) -> Values:
            yield self._computed(POOLED, lambda: self._body.output, images[places]), [None] * len(places)

        hashes = [hashlib.sha256(np.ascontiguousarray(image).data).hexdigest() for image in images]
        shape = tuple(self._body.output.shape[1:])
        try:
            rows, _ = self._cache.rows("activations", self._key, hashes, shape, "float32", compute)
            return np.asarray(rows[np.arange(len(images))])
        except (CacheUnusable, RowsLost):
            self._cache = None
            return self._pooled(images)

    def _computed(self, name: str, make: Callable[[], Any], images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The features of a layer, by an engine that is kept; `make` gives them as a symbolic tensor. Raises `EngineUnusable`."""
        if name not in self._engines:
            self._engines[name] = make_engine(self._name, keras.Model(self._body.input, make()), "float32", cores())
        chunks = compute_all(self._engines[name], self._name, len(images), lambda part: images[part].astype(np.float32))
        return np.concatenate(list(chunks))


def open_model(path: Path, config: Config, cache: Cache | None = None) -> SavedTrainedModel:
    """Open the saved model of a run.

    Pooled features of a backbone that was trained are this run's alone, and are not kept.

    Raises:
        UserError: The file is not a model, or has no feature map.
    """
    try:
        return SavedTrainedModel(grad_cam(load_model(path)), config, cache)
    except (ValueError, OSError) as error:
        raise UserError(f"{path} can't be opened: {' '.join(str(error).split())}") from None
