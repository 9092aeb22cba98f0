"""The `.keras` file: written, and opened without running any code that it may contain."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary
from zipfile import ZipFile

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cxr.model.feature_maps import FeatureMaps
from cxr.model.network import Network
from cxr.model.partition import weights_hash
from cxr.model.preprocessing import Preprocessing
from cxr.model.weight_file import CONFIG, WEIGHTS, change_weights, read_weights, weights_of


@dataclass
class _Parts:
    """A network in two, each compiled: Keras alone would run it layer by layer, five times as slowly.

    `below` makes feature maps of grey levels, and `above` probabilities of maps; without a map all is `above`.
    """

    model: keras.Model
    body: keras.Model | None  # up to the feature map
    feature_map: Any
    below: Callable[[Any], Any]
    above: Callable[[Any], Any]
    maps: FeatureMaps = field(default_factory=FeatureMaps)
    weights: str | None = None  # a hash of those of the body


@dataclass(frozen=True)
class SavedModel:
    """A classifier from a file. Maps that it has made of an image are kept while the weights below them stay what they are."""

    _parts: _Parts

    @property
    def model(self) -> keras.Model:
        """The network."""
        return self._parts.model

    @property
    def feature_map(self) -> Any:
        """Its last feature map, (n, rows, columns, channels) as a symbolic tensor; None if it has no such map."""
        return self._parts.feature_map

    def weights_changed(self, known_as: str | None = None) -> None:
        """To be called when someone gives layers of the network other weights; `known_as` names those below its feature map.

        Without a name the weights are hashed when they are next used.
        """
        self._parts.weights = known_as

    def weights_below(self) -> str:
        """The name of the weights below its feature map, by which maps are kept: their hash, unless they were named."""
        parts = self._parts
        if parts.weights is None:
            parts.weights = "" if parts.body is None else weights_hash(parts.body)
        return parts.weights

    def probabilities(self, grey: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of grey images (n, size, size, 1): (n, classes), each row sums to 1."""
        return self.probabilities_and_pooled(grey)[0]

    def probabilities_and_pooled(self, grey: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Probabilities as above, and the mean of the last feature map over its places, (n, channels)."""
        maps = self._maps(grey)
        known = self._parts.above(maps).numpy().astype(np.float64)
        probabilities = np.asarray(known / known.sum(axis=1, keepdims=True))
        pooled = probabilities if self.feature_map is None else tf.reduce_mean(tf.cast(maps, tf.float32), axis=(1, 2))
        return probabilities, np.asarray(pooled, np.float32)

    def features(self, grey: NDArray[np.float32]) -> tf.Tensor:
        """Its last feature map of the same images, float32."""
        return tf.cast(self._maps(grey), tf.float32)

    def _maps(self, grey: NDArray[np.float32]) -> NDArray[Any]:
        parts = self._parts
        if parts.body is None:
            return grey
        return parts.maps.of(grey, self.weights_below(), lambda some: parts.below(some).numpy())


def save_model(network: Network, path: Path) -> None:
    """Write the classifier, from raw grey levels (n, size, size, 3) in 0..255 to probabilities (n, classes).

    Keras writes the first of a kind in this process; of others only the weights differ.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    kind, known = network.kind, _written.get(network.kind)
    try:
        if known is not None:
            return _write_again(known, network.classifier, path)
    except (KeyError, ValueError):  # a layer keeps its weights in another way
        _written.clear()
    network.classifier.save(path)
    with ZipFile(path) as archive:
        _written.clear()
        _written[kind] = {name: archive.read(name) for name in archive.namelist()}
    return None


_written: dict[tuple[object, ...], dict[str, bytes]] = {}  # the members of the latest file that Keras wrote, by kind of network


def _write_again(members: dict[str, bytes], model: keras.Model, path: Path) -> None:
    saved = {"keras_version": keras.__version__, "date_saved": datetime.now(UTC).strftime("%Y-%m-%d@%H:%M:%S")}
    changed = {"metadata.json": json.dumps(saved).encode(), WEIGHTS: change_weights(members[WEIGHTS], weights_of(model))}
    with ZipFile(path, "w") as archive:
        for name, content in (members | changed).items():
            archive.writestr(name, content)


def load_model(path: Path, in_float32: bool = False) -> SavedModel:
    """Open a saved classifier for inference. Raises `ValueError` for a file that is no model, or would run its own code.

    It computes in the precision in which it was trained, or `in_float32`; its weights are float32 in both.

    A process builds each kind of model once: for a file with the same config only weights are loaded, if the earlier
    model is no longer in use.
    """
    stat = path.stat()
    file_now = (str(path.resolve()), stat.st_mtime_ns, stat.st_size, in_float32)
    if (known := _loaded.get(file_now)) is not None:
        return known
    _recent.clear()
    try:
        parts = _parts_of(path, in_float32)
    except Exception as error:  # of zipfile, h5py, json or Keras, which raise nearly anything on files that are not theirs
        first = " ".join(str(error).split()).partition(". ")[0][:200]  # Keras goes on with how to run the code after all
        raise ValueError(f"{path.name} is no model that can be opened without running its own code: {first}") from error
    found = SavedModel(parts)
    _loaded[file_now] = found
    _recent.append(found)
    return found


_loaded: "WeakValueDictionary[tuple[str, int, int, bool], SavedModel]" = (
    WeakValueDictionary()
)  # in use, by file, time, size, precision
_recent: list[SavedModel] = []  # the latest stays open: a run asks for it twice
_built: dict[str, _Parts] = {}  # one at a time, by config


def _parts_of(path: Path, in_float32: bool) -> _Parts:
    with ZipFile(path) as file:
        layers = json.loads(file.read(CONFIG), object_hook=_in_float32 if in_float32 else _without_identity)
    config = json.dumps(layers)
    if config in _built and not any(each.model is _built[config].model for each in _loaded.values()):
        _take_weights(_built[config], path)
        return _built[config]
    own = {"cxr>Preparation": Preprocessing}
    if in_float32:
        model = keras.saving.deserialize_keras_object(layers, own, safe_mode=True)
        model.load_weights(path)
    else:
        model = keras.saving.load_model(path, own, compile=False, safe_mode=True)
    feature_map = next((layer.output for layer in reversed(model.layers) if _is_map(layer)), None)
    _built.clear()
    _built[config] = _compiled(model, feature_map)
    return _built[config]


def _take_weights(parts: _Parts, path: Path) -> None:
    """Give a network the weights of a file; only those that differ are handed to TensorFlow."""
    model = parts.model
    own, given = weights_of(model), read_weights(path)
    if {name: [each.shape for each in values] for name, values in own.items()} != {
        name: [each.shape for each in values] for name, values in given.items()
    }:
        model.load_weights(path)  # a layer keeps its weights in another way
        parts.weights = None
        return
    below = set() if parts.body is None else {id(layer) for layer in parts.body.layers}
    for layer in model.layers:
        for weight, held, value in zip(layer.weights, own.get(layer.name, []), given.get(layer.name, []), strict=True):
            if not np.array_equal(held, value, equal_nan=True):
                weight.assign(value)
                parts.weights = None if id(layer) in below else parts.weights


def _without_identity(said: dict[str, Any]) -> dict[str, Any]:
    """Without Keras' number for an object in memory, which is another in each file."""
    return {name: value for name, value in said.items() if name != "shared_object_id"}


def _in_float32(value: dict[str, Any]) -> dict[str, Any]:
    """As above, with every layer's precision made float32."""
    is_policy = value.get("class_name") == "DTypePolicy"
    return {**value, "config": {"name": "float32"}} if is_policy else _without_identity(value)


def _is_map(layer: keras.Layer) -> bool:
    return not isinstance(layer, keras.layers.InputLayer) and len(getattr(layer.output, "shape", ())) == 4


def _compiled(model: keras.Model, feature_map: Any) -> _Parts:
    """Both parts, each traced once."""

    def function(part: keras.Model, from_grey: bool) -> Callable[[Any], Any]:
        given = tf.TensorSpec((None, *model.input.shape[1:3], 1), tf.float32) if from_grey else _spec_of(part.input)
        made: Callable[[Any], Any] = tf.function(
            lambda values: part(tf.repeat(values, 3, axis=-1) if from_grey else values, training=False),
            input_signature=[given],
            autograph=False,
            jit_compile=False,
        )
        return made

    if feature_map is None:
        return _Parts(model, None, None, tf.identity, function(model, from_grey=True))
    body, above = keras.Model(model.input, feature_map), keras.Model(feature_map, model.output)
    return _Parts(model, body, feature_map, function(body, from_grey=True), function(above, from_grey=False))


def _spec_of(tensor: Any) -> tf.TensorSpec:
    return tf.TensorSpec(tensor.shape, tensor.dtype)
