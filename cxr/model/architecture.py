"""The layers of a backbone as plain data: names, connections, shapes of weights, and the places where one tensor crosses."""

import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

Shape = tuple[int, ...]
COLUMNS = ("layer", "kind", "inputs", "weights", "multiply_adds")


@dataclass(frozen=True)
class Layer:
    """One step of a network: its inputs by name, the shapes of its weights, and its multiply-adds for one image."""

    name: str
    kind: str  # of Keras' class or operation
    inputs: tuple[str, ...] = ()
    weights: tuple[Shape, ...] = ()
    multiply_adds: int = 0


@dataclass(frozen=True)
class Architecture:
    """Layers in an order in which each comes after its inputs; an input that is no layer is the image."""

    layers: tuple[Layer, ...]

    @cached_property
    def places(self) -> dict[str, int]:
        """The place of each layer by name."""
        return {layer.name: place for place, layer in enumerate(self.layers)}

    @cached_property
    def cuts(self) -> list[int]:
        """Places after which one tensor crosses, that layer's own: the network can be cut above them.

        >>> chain = Architecture(tuple(Layer(name, "Conv2D", inputs) for name, inputs in [("a", ()), ("b", ("a",)), ("c", ("b",))]))
        >>> chain.cuts  # the last layer has nothing above it
        [0, 1]
        >>> Architecture((*chain.layers, Layer("sum", "Add", ("a", "c")))).cuts
        [0]
        """
        last_use: dict[str, int] = {}
        for place, layer in enumerate(self.layers):
            last_use |= dict.fromkeys(layer.inputs, place)
        cuts, open_until = [], -1  # the image may be used by several layers too
        outside = max((use for name, use in last_use.items() if name not in self.places), default=-1)
        for place, layer in enumerate(self.layers[:-1]):
            if max(open_until, outside) <= place < last_use.get(layer.name, -1):
                cuts.append(place)
            open_until = max(open_until, last_use.get(layer.name, -1))
        return cuts

    @property
    def shapes(self) -> Counter[Shape]:
        """How many weight arrays of each shape there are."""
        return Counter(shape for layer in self.layers for shape in layer.weights)

    @property
    def parameters(self) -> int:
        """The number of all weights."""
        return sum(prod(shape) * count for shape, count in self.shapes.items())

    @property
    def multiply_adds(self) -> int:
        """Of one image through all layers; a FLOP count is twice that."""
        return sum(layer.multiply_adds for layer in self.layers)

    def share_above(self, place: int) -> tuple[float, float]:
        """The share of parameters and of multiply-adds in the layers from `place` upward, each 0 to 1."""
        above = Architecture(self.layers[place:])
        return above.parameters / max(self.parameters, 1), above.multiply_adds / max(self.multiply_adds, 1)


def read_architecture(path: Path) -> Architecture:
    """Read a table of layers, as `write_architecture` writes it."""
    with path.open(newline="", encoding="utf-8") as file:
        return Architecture(tuple(map(_layer, csv.DictReader(file))))


def write_architecture(path: Path, architecture: Architecture) -> None:
    """Write a table of layers: a row each, with shapes as 3x3x3x32."""
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(COLUMNS)
        for layer in architecture.layers:
            shapes = " ".join(map(_format_shape, layer.weights))
            rows.writerow([layer.name, layer.kind, " ".join(layer.inputs), shapes, layer.multiply_adds])


def canonical_names(named: Iterable[tuple[str, str]]) -> list[str]:
    """Names that do not depend on what else a process built: Keras numbers layers without a name over all networks.

    >>> canonical_names([("conv", "Conv2D"), ("add_7", "Add"), ("re_lu", "ReLU"), ("add_9", "Add")])
    ['conv', 'add', 're_lu', 'add_1']
    """
    names, counts = [], Counter[str]()
    for name, kind in named:
        automatic = _snake(kind)
        if re.fullmatch(rf"{automatic}(_\d+)?", name):
            name = f"{automatic}_{counts[automatic]}" if counts[automatic] else automatic
            counts[automatic] += 1
        names.append(name)
    return names


def format_shapes(shapes: Iterable[Shape]) -> str:
    """Shapes as a message lists them.

    >>> format_shapes([(3, 3, 3, 32), (32,)])
    '3x3x3x32, 32'
    """
    return ", ".join(map(_format_shape, shapes))


def _format_shape(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _layer(row: dict[str, str]) -> Layer:
    shapes = tuple(tuple(int(side) for side in shape.split("x") if side) for shape in row["weights"].split())
    return Layer(row["layer"], row["kind"], tuple(row["inputs"].split()), shapes, int(row["multiply_adds"]))


def _snake(kind: str) -> str:
    """Keras' automatic name of a class.

    >>> _snake("ZeroPadding2D"), _snake("BatchNormalization"), _snake("ReLU"), _snake("GetItem")
    ('zero_padding2d', 'batch_normalization', 're_lu', 'get_item')
    """
    split = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", split).lower()
