"""The `.keras` file: written, and opened without running any code that it may contain."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakValueDictionary
from zipfile import ZipFile

import h5py
import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cxr.model.feature_maps import FeatureMaps
from cxr.model.keras_private import CONFIG, WEIGHTS, weight_groups
from cxr.model.network import Network
from cxr.model.partition import weights_hash
from cxr.model.stored_preprocessing import StoredPreprocessing


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
        """Probabilities of images, (n, classes), each row sums to 1.

        Args:
            grey: (n, size, size, 1), 0 to 255.
        """
        return self.probabilities_and_pooled(grey)[0]

    def probabilities_and_pooled(self, grey: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Probabilities, (n, classes), and the mean of the last feature map over its places, (n, channels).

        Args:
            grey: (n, size, size, 1), 0 to 255.
        """
        maps = self._maps(grey)
        raw = self._parts.above(maps).numpy().astype(np.float64)
        probabilities = np.asarray(raw / raw.sum(axis=1, keepdims=True))
        pooled = probabilities if self.feature_map is None else tf.reduce_mean(tf.cast(maps, tf.float32), axis=(1, 2))
        return probabilities, np.asarray(pooled, np.float32)

    def features(self, grey: NDArray[np.float32]) -> tf.Tensor:
        """The last feature map, (n, rows, columns, channels), float32.

        Args:
            grey: (n, size, size, 1), 0 to 255.
        """
        return tf.cast(self._maps(grey), tf.float32)

    def _maps(self, grey: NDArray[np.float32]) -> NDArray[Any]:
        parts = self._parts
        if parts.body is None:
            return grey
        return parts.maps.of(grey, self.weights_below(), lambda some: parts.below(some).numpy())


def save_model(network: Network, path: Path) -> None:
    """Write the classifier, from raw grey levels (n, size, size, 3) in 0..255 to probabilities (n, classes).

    Keras looks through every object of a network for its weights, so it writes the first of several jobs with one network alone.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    freedom, members = _written.get(network.classifier, (None, {}))
    if freedom == network.freedom:
        _write_again(network.classifier, members, path)
        return
    network.classifier.save(path)
    with ZipFile(path) as archive:
        _written[network.classifier] = network.freedom, {name: archive.read(name) for name in archive.namelist()}


# The members of the file that Keras wrote of a network, and what trained then, which the file says too.
_written: WeakKeyDictionary[keras.Model, tuple[object, dict[str, bytes]]] = WeakKeyDictionary()


def _write_again(model: keras.Model, members: dict[str, bytes], path: Path) -> None:
    """The same file with today's weights."""
    saved = {"keras_version": keras.__version__, "date_saved": datetime.now(UTC).strftime("%Y-%m-%d@%H:%M:%S")}
    content = BytesIO(members[WEIGHTS])
    with h5py.File(content, "r+") as file:
        groups = weight_groups(file)
        for layer in model.layers:
            for number, weight in enumerate(layer.weights):
                groups[layer.name][str(number)][...] = weight.numpy()
    changed = {"metadata.json": json.dumps(saved).encode(), WEIGHTS: content.getvalue()}
    with ZipFile(path, "w") as archive:
        for name, member in (members | changed).items():
            archive.writestr(name, member)


def load_model(path: Path, in_float32: bool = False) -> SavedModel:
    """Open a saved classifier for inference.

    It computes in the precision in which it was trained, or `in_float32`; its weights are float32 in both. A process builds each
    kind of model once: for a file with the same config only weights are loaded, if the earlier model is no longer in use.

    Raises:
        ValueError: The file is no model, or would run its own code.
    """
    stat = path.stat()
    file_now = (str(path.resolve()), stat.st_mtime_ns, stat.st_size, in_float32)
    if (known := _loaded.get(file_now)) is not None:
        return known
    _recent.clear()
    try:
        parts = _parts_of(path, in_float32)
    except Exception as error:  # of zipfile, h5py, json or Keras, which raise nearly anything on files that are not theirs
        first = " ".join(str(error).split()).partition(". ")[0][:200]  # then Keras says how to run the code after all
        raise ValueError(f"{path.name} is no model that can be opened without running its own code: {first}") from error
    saved = SavedModel(parts)
    _loaded[file_now] = saved
    _recent.append(saved)
    return saved


# Those in use, by file, time, size and precision.
_loaded: "WeakValueDictionary[tuple[str, int, int, bool], SavedModel]" = WeakValueDictionary()
_recent: list[SavedModel] = []  # the latest stays open: a run asks for it twice
_built: dict[str, _Parts] = {}  # one at a time, by config


def _parts_of(path: Path, in_float32: bool) -> _Parts:
    with ZipFile(path) as file:
        layers = json.loads(file.read(CONFIG), object_hook=_in_float32 if in_float32 else _without_identity)
    config = json.dumps(layers)
    known = _built.get(config)
    if known is not None and not any(saved.model is known.model for saved in _loaded.values()):
        _take_weights(known, path)
        return known
    own = {"cxr>Preparation": StoredPreprocessing}
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
    """Give a network the weights of a file of the same config; TensorFlow gets those that differ. Raises what h5py raises."""
    below = set() if parts.body is None else {id(layer) for layer in parts.body.layers}
    with ZipFile(path) as archive, h5py.File(BytesIO(archive.read(WEIGHTS))) as file:
        groups = weight_groups(file)
        for layer in parts.model.layers:
            for number, weight in enumerate(layer.weights):
                value = np.asarray(groups[layer.name][str(number)])
                if not np.array_equal(weight.numpy(), value, equal_nan=True):
                    parts.weights = None if id(layer) in below else parts.weights
                    weight.assign(value)


def _without_identity(config: dict[str, Any]) -> dict[str, Any]:
    """Without Keras' number for an object in memory, which is another in each file."""
    return {name: value for name, value in config.items() if name != "shared_object_id"}


def _in_float32(config: dict[str, Any]) -> dict[str, Any]:
    """As above, with every layer's precision made float32."""
    is_policy = config.get("class_name") == "DTypePolicy"
    return {**config, "config": {"name": "float32"}} if is_policy else _without_identity(config)


def _is_map(layer: keras.Layer) -> bool:
    return not isinstance(layer, keras.layers.InputLayer) and len(getattr(layer.output, "shape", ())) == 4


def _compiled(model: keras.Model, feature_map: Any) -> _Parts:
    """Both parts, each traced once."""

    def compiled(part: keras.Model, from_grey: bool) -> Callable[[Any], Any]:
        shape, dtype = ((None, *model.input.shape[1:3], 1), tf.float32) if from_grey else (part.input.shape, part.input.dtype)
        function: Callable[[Any], Any] = tf.function(
            lambda values: part(tf.repeat(values, 3, axis=-1) if from_grey else values, training=False),
            input_signature=[tf.TensorSpec(shape, dtype)],
            autograph=False,
            jit_compile=False,
        )
        return function

    if feature_map is None:
        return _Parts(model, None, None, tf.identity, compiled(model, from_grey=True))
    body, above = keras.Model(model.input, feature_map), keras.Model(feature_map, model.output)
    return _Parts(model, body, feature_map, compiled(body, from_grey=True), compiled(above, from_grey=False))
