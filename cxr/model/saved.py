"""The `.keras` file: how it is written, and opened again without running anything that it may hold."""

import json
from pathlib import Path
from zipfile import ZipFile

import keras
import numpy as np
from numpy.typing import NDArray

from cxr.model.network import Network


def save_model(network: Network, path: Path) -> None:
    """Write the classifier, from raw grey levels (n, size, size, 3) in 0..255 to probabilities (n, classes)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    network.classifier.save(path)


def load_model(path: Path) -> keras.Model:
    """Open a saved classifier for inference. Raises `ValueError` for a file that would run code of its own.

    A process builds each kind of model once: a file with the same config only brings its weights, into the model that was
    returned for the file before.
    """
    with ZipFile(path) as file:
        said = json.loads(file.read("config.json"))
    said.pop("shared_object_id", None)  # Keras' own number for an object in memory, another in each file
    config = json.dumps(said)
    if config in _latest:
        _latest[config].load_weights(path)
    else:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
        _latest.clear()
        _latest[config] = model
    return _latest[config]


_latest: dict[str, keras.Model] = {}  # one at a time, by config


def probabilities_of(model: keras.Model, grey: NDArray[np.float32]) -> NDArray[np.float64]:
    """What a classifier makes of grey images (n, size, size, 1): (n, classes), each row summing to 1."""
    found = keras.ops.convert_to_numpy(model(np.repeat(grey, 3, axis=-1), training=False)).astype(np.float64)
    return np.asarray(found / found.sum(axis=1, keepdims=True))
