"""The `.keras` file: written, and opened without running any code that it may contain."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary
from zipfile import ZipFile

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cxr.model.network import Network
from cxr.model.preparation import Preparation


@dataclass(frozen=True)
class SavedModel:
    """A classifier from a file, compiled: Keras alone would run it layer by layer, five times as slowly.

    `feature_map` is its last one, (n, rows, columns, channels) as a symbolic tensor; None if it has no such map.
    """

    model: keras.Model
    feature_map: Any
    _compiled: Callable[[NDArray[np.float32]], tuple[Any, Any]]

    def probabilities(self, grey: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of grey images (n, size, size, 1): (n, classes), each row sums to 1."""
        found = self._compiled(grey)[1].numpy().astype(np.float64)
        return np.asarray(found / found.sum(axis=1, keepdims=True))

    def probabilities_and_pooled(self, grey: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Probabilities as above, and the mean of the last feature map over its places, (n, channels)."""
        maps, found = self._compiled(grey)
        pooled = maps if self.feature_map is None else tf.reduce_mean(tf.cast(maps, tf.float32), axis=(1, 2))
        known = found.numpy().astype(np.float64)
        return np.asarray(known / known.sum(axis=1, keepdims=True)), np.asarray(pooled, np.float32)

    def features(self, grey: NDArray[np.float32]) -> tf.Tensor:
        """Its last feature map of the same images, float32."""
        return tf.cast(self._compiled(grey)[0], tf.float32)


def save_model(network: Network, path: Path) -> None:
    """Write the classifier, from raw grey levels (n, size, size, 3) in 0..255 to probabilities (n, classes)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    network.classifier.save(path)


def load_model(path: Path) -> SavedModel:
    """Open a saved classifier for inference. Raises `ValueError` for a file that is no model, or would run its own code.

    A process builds each kind of model once: for a file with the same config only weights are loaded, if the earlier
    model is no longer in use.
    """
    stat = path.stat()
    file_now = (str(path.resolve()), stat.st_mtime_ns, stat.st_size)
    if (known := _loaded.get(file_now)) is not None:
        return known
    _recent.clear()
    try:
        parts = _parts_of(path)
    except Exception as error:  # of zipfile, h5py, json or Keras, which raise nearly anything on files that are not theirs
        first = " ".join(str(error).split()).partition(". ")[0][:200]  # Keras goes on with how to run the code after all
        raise ValueError(f"{path.name} is no model that can be opened without running its own code: {first}") from error
    found = SavedModel(*parts)
    _loaded[file_now] = found
    _recent.append(found)
    return found


_Parts = tuple[keras.Model, Any, Callable[[NDArray[np.float32]], tuple[Any, Any]]]
_loaded: "WeakValueDictionary[tuple[str, int, int], SavedModel]" = WeakValueDictionary()  # those in use, by file, time and size
_recent: list[SavedModel] = []  # the latest stays open: a run asks for it twice
_built: dict[str, _Parts] = {}  # one at a time, by config


def _parts_of(path: Path) -> _Parts:
    with ZipFile(path) as file:
        config = json.dumps(json.loads(file.read("config.json"), object_hook=_without_identity))
    if config in _built and not any(each.model is _built[config][0] for each in _loaded.values()):
        _built[config][0].load_weights(path)
        return _built[config]
    model = keras.saving.load_model(path, {"cxr>Preparation": Preparation}, compile=False, safe_mode=True)
    feature_map = next((layer.output for layer in reversed(model.layers) if _is_map(layer)), None)
    _built.clear()
    _built[config] = model, feature_map, _compiled(model, feature_map)
    return _built[config]


def _without_identity(said: dict[str, Any]) -> dict[str, Any]:
    """Without Keras' number for an object in memory, which is another in each file."""
    return {name: value for name, value in said.items() if name != "shared_object_id"}


def _is_map(layer: keras.Layer) -> bool:
    return not isinstance(layer, keras.layers.InputLayer) and len(getattr(layer.output, "shape", ())) == 4


def _compiled(model: keras.Model, feature_map: Any) -> Callable[[NDArray[np.float32]], tuple[Any, Any]]:
    """Feature map and probabilities of grey levels, traced once: with no map, probabilities stand for it."""
    both = keras.Model(model.input, [model.output if feature_map is None else feature_map, model.output])

    def seen(grey: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        maps, probabilities = both(tf.repeat(grey, 3, axis=-1), training=False)
        return maps, probabilities

    signature = [tf.TensorSpec((None, *model.input.shape[1:3], 1), tf.float32)]
    made: Callable[[NDArray[np.float32]], tuple[Any, Any]] = tf.function(
        seen, input_signature=signature, autograph=False, jit_compile=False
    )
    return made
