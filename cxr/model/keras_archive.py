"""A `.keras` file read as data: the layers of its network and the shapes of their weights. Nothing in it is run."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import h5py

from cxr.model.architecture import Architecture, Layer, Shape, canonical_names
from cxr.text import parse_json

_NETWORKS = ("Functional", "Sequential", "Model")
_WITH_CODE = ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer")  # layers of Keras that run other code
_MOST_BYTES = 4 * 2**30  # of the weights


@dataclass(frozen=True)
class Archive:
    """The network of a file: its layers without the image, and the shape of the image, (rows, columns, channels).

    `maps` are the names of layers with an output of four dimensions, as far as the file says, and `reducing` those of layers that
    lower the resolution.
    """

    architecture: Architecture
    image: tuple[int | None, ...]
    maps: frozenset[str]
    reducing: frozenset[str]


def read_archive(path: Path) -> Archive:
    """Read a `.keras` file. Raises `ValueError`, with a reason in words, for one that `cxr` can't use."""
    try:
        with ZipFile(path) as file:
            config = parse_json(file.read("config.json"))
            too_large = file.getinfo("model.weights.h5").file_size > _MOST_BYTES
            weights = BytesIO(b"" if too_large else file.read("model.weights.h5"))
    except (BadZipFile, KeyError, OSError, ValueError) as error:
        raise ValueError(f"it is no .keras file ({error})") from None
    if too_large:
        raise ValueError("its weights are larger than 4 GB")
    try:
        return _archive(config, _shapes_by_layer(weights))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"its config is not that of a network ({type(error).__name__}: {error})") from None


@dataclass(frozen=True)
class _Step:
    name: str
    kind: str
    inputs: tuple[str, ...]
    reduces: bool


def _archive(config: dict[str, Any], shapes: dict[str, tuple[Shape, ...]]) -> Archive:
    if config["class_name"] not in _NETWORKS:
        raise ValueError(f"it holds {config['class_name']!a}, which is no network of layers")
    inputs, _, steps, ranks = _steps(config, None)
    steps = [step for step in steps if step.kind != "InputLayer"]
    if len({step.name for step in steps}) < len(steps):
        raise ValueError("several of its layers have one name")
    names = dict(zip((step.name for step in steps), canonical_names((step.name, step.kind) for step in steps), strict=True))
    layers = tuple(
        Layer(names[step.name], step.kind, tuple(names.get(each, each) for each in step.inputs), shapes.get(step.name, ()))
        for step in steps
    )
    maps = frozenset(names[name] for name, rank in ranks.items() if rank == 4 and name in names)
    reducing = frozenset(names[step.name] for step in steps if step.reduces)
    return Archive(Architecture(layers), tuple(inputs[1:]), maps, reducing)


def _steps(network: dict[str, Any], given: str | None) -> tuple[list[int | None], str, list[_Step], dict[str, int]]:
    """The image's shape with the batch, the output's name, the steps, and the rank of each output as its users say."""
    config = network["config"]
    if network["class_name"] == "Sequential":
        return _chain(config, given)
    single = [config[key] for key in ("input_layers", "output_layers")]
    for what, ends in zip(("input", "output"), single, strict=True):
        if ends and isinstance(ends[0], list):
            if len(ends) != 1:
                raise ValueError(f"it has {len(ends)} {what}s, and a backbone has one")
            ends[:] = ends[0]
    shape: list[int | None] = []
    renamed: dict[str, str] = {}
    found: list[_Step] = []
    ranks: dict[str, int] = {}
    for layer in config["layers"]:
        name = str(layer["name"])
        used = list(dict.fromkeys(_tensors(layer["inbound_nodes"])))
        ranks |= {renamed.get(each, each): rank for each, rank in used}
        inputs = tuple(renamed.get(each, each) for each, _ in used)
        if layer["class_name"] == "InputLayer":
            shape = list(layer["config"].get("batch_shape") or layer["config"]["batch_input_shape"])
            if given is not None:
                renamed[name] = given
                continue
        elif layer["class_name"] in _NETWORKS:
            if len(inputs) != 1:
                raise ValueError(f"the network {name!a} inside it has {len(inputs)} inputs")
            _, renamed[name], inner, inner_ranks = _steps(layer, inputs[0])
            found += inner
            ranks |= inner_ranks
            continue
        _check_kind(layer, name)
        found.append(_Step(name, layer["class_name"], inputs, _reduces(layer["config"])))
    output = str(config["output_layers"][0])
    return shape, renamed.get(output, output), found, ranks


def _chain(config: dict[str, Any], given: str | None) -> tuple[list[int | None], str, list[_Step], dict[str, int]]:
    shape = list(config.get("build_input_shape") or [])
    latest, found, ranks = given, [], dict[str, int]()
    for layer in config["layers"]:
        name = str(layer["config"]["name"])
        if layer["class_name"] == "InputLayer":
            shape = list(layer["config"]["batch_shape"])
            latest = latest or name
            continue
        if layer["class_name"] in _NETWORKS:
            inner_shape, latest, inner, inner_ranks = _steps(layer, latest)
            shape = shape or inner_shape
            found += inner
            ranks |= inner_ranks
            continue
        _check_kind(layer, name)
        found.append(_Step(name, layer["class_name"], (latest,) if latest else (), _reduces(layer["config"])))
        built = (layer.get("build_config") or {}).get("input_shape")
        if built and latest:
            ranks[latest] = len(built)
        latest = name
    if not found or not shape or latest is None:
        raise ValueError("it was saved before its network was built")
    return shape, latest, found, ranks


def _check_kind(layer: dict[str, Any], name: str) -> None:
    """Raise `ValueError` for a layer that brings code."""
    if any(not _is_of_keras(each) for each in _objects(layer)):
        raise ValueError(f"its layer {name!a} ({layer['class_name']!a}) needs code of its own, which cxr never runs from a file")


def _is_of_keras(item: dict[str, Any]) -> bool:
    module = str(item["module"] or "")
    return (module == "keras" or module.startswith("keras.")) and item["class_name"] not in _WITH_CODE


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Everything in a layer's config that Keras would look up by module and class: the layer, its activation, its initializers."""
    if isinstance(node, dict) and "module" in node and "class_name" in node:
        yield node
    for each in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(each)


def _reduces(config: dict[str, Any]) -> bool:
    strides = config.get("strides") or 1
    return max(strides if isinstance(strides, list) else [int(strides)]) > 1


def _tensors(node: Any) -> Iterator[tuple[str, int]]:
    """The names of the layers whose outputs a node takes, each with the rank of that output."""
    if isinstance(node, list):
        for each in node:
            yield from _tensors(each)
    elif isinstance(node, dict):
        if node.get("class_name") == "__keras_tensor__":
            yield str(node["config"]["keras_history"][0]), len(node["config"]["shape"])
        else:
            for each in node.values():
                yield from _tensors(each)


def _shapes_by_layer(weights: BytesIO) -> dict[str, tuple[Shape, ...]]:
    """The shapes of each layer's weights; Keras writes the layer's name beside them."""
    found: dict[str, tuple[Shape, ...]] = {}

    def visit(place: str, item: object) -> None:
        if isinstance(item, h5py.Group) and place.endswith("/vars") and "name" in item.attrs and not place.startswith("optimizer"):
            arrays = [item[key] for key in sorted(item, key=int)]
            if arrays:
                found[str(item.attrs["name"])] = tuple(tuple(each.shape) for each in arrays)

    with h5py.File(weights) as file:
        file.visititems(visit)
    return found
