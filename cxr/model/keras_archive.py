"""A `.keras` file read as data: the layers of its network and the shapes of their weights. Nothing in it is run."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import h5py

from cxr.model.architecture import Architecture, Layer, Shape, canonical_names
from cxr.model.keras_private import CONFIG, WEIGHTS, tensors_in, weight_shapes
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


def content_sha256(path: Path) -> str:
    """The SHA-256 of the content of a file as it is now, in hex; read again when its time or size is another."""
    stat = path.stat()
    return _sha256(path, stat.st_mtime_ns, stat.st_size)


@cache
def _sha256(path: Path, written: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_archive(path: Path) -> Archive:
    """Read a `.keras` file, once while it stays what it is.

    Raises:
        ValueError: `cxr` can't use the file, with the reason.
    """
    stat = path.stat()
    return _read_archive(path, stat.st_mtime_ns, stat.st_size)


@cache
def _read_archive(path: Path, written: int, size: int) -> Archive:
    try:
        with ZipFile(path) as file:
            config = parse_json(file.read(CONFIG))
            too_large = file.getinfo(WEIGHTS).file_size > _MOST_BYTES
            weights = BytesIO(b"" if too_large else file.read(WEIGHTS))
    except (BadZipFile, KeyError, OSError, ValueError) as error:
        raise ValueError(f"it is no .keras file ({error})") from None
    if too_large:
        raise ValueError("its weights are larger than 4 GB")
    try:
        with h5py.File(weights) as file:
            shapes = weight_shapes(file)
        return _archive(config, shapes)
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"its config is not that of a network ({type(error).__name__}: {error})") from None


def _archive(config: dict[str, Any], shapes: dict[str, tuple[Shape, ...]]) -> Archive:
    if config["class_name"] not in _NETWORKS:
        raise ValueError(f"it holds {config['class_name']!a}, which is no network of layers")
    reader = _Reader()
    reader.read(config, None)
    steps = reader.steps
    if len({step.name for step in steps}) < len(steps):
        raise ValueError("several of its layers have one name")
    names = dict(zip((step.name for step in steps), canonical_names((step.name, step.kind) for step in steps), strict=True))
    layers = tuple(
        Layer(names[step.name], step.kind, tuple(names.get(name, name) for name in step.inputs), shapes.get(step.name, ()))
        for step in steps
    )
    maps = frozenset(names[name] for name, rank in reader.ranks.items() if rank == 4 and name in names)
    return Archive(Architecture(layers), tuple(reader.image[1:]), maps, frozenset(names[name] for name in reader.reducing))


class _Reader:
    """The steps of a network and of the networks inside it, under the names that the file has for them."""

    def __init__(self) -> None:
        self.steps: list[Layer] = []
        self.image: list[int | None] = []  # the shape of the images, with the batch
        self.ranks: dict[str, int] = {}  # of the output of a step, as its users have it
        self.reducing: list[str] = []  # the steps that lower the resolution

    def read(self, network: dict[str, Any], source: str | None) -> str:
        """Read a network on the output of a step, or on the images; return the name of the step that makes its output."""
        config, is_chain, before = network["config"], network["class_name"] == "Sequential", len(self.steps)
        if is_chain:
            self.image = self.image or list(config.get("build_input_shape") or [])
        else:
            _check_ends(config)
        makers: dict[str, str] = {}  # the step behind each name in this network
        latest = source
        for layer in config["layers"]:
            name = str(layer["config"]["name"] if is_chain else layer["name"])
            inputs = self._inputs_of(layer, makers) if not is_chain else (latest,) if latest else ()
            if layer["class_name"] == "InputLayer":
                _check_kind(layer, name)
                self.image = self.image or list(layer["config"].get("batch_shape") or layer["config"]["batch_input_shape"])
                latest = source or name
            elif layer["class_name"] in _NETWORKS:
                if len(inputs) != 1 and not is_chain:
                    raise ValueError(f"the network {name!a} inside it has {len(inputs)} inputs")
                latest = self.read(layer, inputs[0] if inputs else None)
            else:
                self._add(layer, name, inputs)
                latest = name
            makers[name] = latest
        if is_chain and (len(self.steps) == before or not self.image or latest is None):
            raise ValueError("it was saved before its network was built")
        output = str(latest if is_chain else config["output_layers"][0])
        return makers.get(output, output)

    def _inputs_of(self, layer: dict[str, Any], makers: dict[str, str]) -> tuple[str, ...]:
        """The steps whose outputs a layer of a functional network takes."""
        ranks = {makers.get(name, name): rank for name, rank in tensors_in(layer["inbound_nodes"])}
        self.ranks |= ranks
        return tuple(ranks)

    def _add(self, layer: dict[str, Any], name: str, inputs: tuple[str, ...]) -> None:
        _check_kind(layer, name)
        built = (layer.get("build_config") or {}).get("input_shape")
        if built and inputs:
            self.ranks.setdefault(inputs[0], len(built))
        self.steps.append(Layer(name, layer["class_name"], inputs))
        strides = layer["config"].get("strides") or 1
        if max(strides if isinstance(strides, list) else [int(strides)]) > 1:
            self.reducing.append(name)


def _check_ends(config: dict[str, Any]) -> None:
    """Raise `ValueError` for a functional network with several inputs or outputs; one of each is then no longer in a list."""
    for what in ("input", "output"):
        ends = config[f"{what}_layers"]
        if ends and isinstance(ends[0], list):
            if len(ends) != 1:
                raise ValueError(f"it has {len(ends)} {what}s, and a backbone has one")
            ends[:] = ends[0]


def _check_kind(layer: dict[str, Any], name: str) -> None:
    """Raise `ValueError` for a layer that brings code."""
    for item in _objects(layer):
        if str(item["module"]).split(".")[0] != "keras" or item["class_name"] in _WITH_CODE:
            kind = layer["class_name"]
            raise ValueError(f"its layer {name!a} ({kind!a}) needs code of its own, which cxr never runs from a file")


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Everything in a layer's config that Keras would look up by module and class: the layer, its activation, its initializers."""
    if isinstance(node, dict) and "module" in node and "class_name" in node:
        yield node
    for part in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _objects(part)
