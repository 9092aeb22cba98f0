"""The weights in a `.keras` file, by layer, read and written as arrays: Keras looks through every object of a network for them."""

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import h5py
import keras
import numpy as np
from numpy.typing import NDArray

CONFIG, WEIGHTS = "config.json", "model.weights.h5"  # members of the archive

ByLayer = dict[str, list[NDArray[Any]]]


def read_weights(path: Path) -> ByLayer:
    """The weights of each layer that has some, in the order in which Keras numbers them. Raises what zipfile and h5py raise."""
    with ZipFile(path) as archive, h5py.File(BytesIO(archive.read(WEIGHTS))) as file:
        return {name: [np.asarray(group[key]) for key in sorted(group, key=int)] for name, group in _groups(file).items()}


def change_weights(content: bytes, weights: Mapping[str, list[NDArray[Any]]]) -> bytes:
    """The content of a weights file with other values of the same shapes. Raises `KeyError` and `ValueError` for other layers."""
    changed = BytesIO(content)
    with h5py.File(changed, "r+") as file:
        groups = _groups(file)
        if set(groups) != set(weights):
            raise KeyError("the file has other layers")
        for name, values in weights.items():
            if len(groups[name]) != len(values):
                raise ValueError(f"layer {name} has {len(groups[name])} weights in the file, and {len(values)} are given")
            for number, value in enumerate(values):
                held = groups[name][str(number)]
                if held.shape != value.shape or held.dtype != value.dtype:
                    raise ValueError(f"weight {number} of layer {name} has another shape or type in the file")
                held[...] = value
    return changed.getvalue()


def weights_of(model: keras.Model) -> ByLayer:
    """The weights of each layer of a flat network that has some, as `read_weights` gives them."""
    return {layer.name: [weight.value.numpy() for weight in layer.weights] for layer in model.layers if layer.weights}


def _groups(file: h5py.File) -> dict[str, h5py.Group]:
    """Where the weights of each layer are; Keras writes the layer's name beside them, and numbers weights from 0."""
    found = {}
    for group in file["layers"].values():
        held = group.get("vars")
        if held is not None and len(held) and "name" in held.attrs:
            found[str(held.attrs["name"])] = held
    return found
