"""The backbone that a config names: `backbone.name` is a file in this folder, or an entry point in `cxr.backbones`.

A file has `BACKBONE`, a `Backbone`, or a function `describe` that makes one from the config. Nothing here imports Keras, so a wrong
name, depth or weights file is rejected before it is imported.
"""

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from cxr.config.extensions import BACKBONES, installed, load
from cxr.config.schema import BackboneConfig
from cxr.errors import UserError
from cxr.model.architecture import Architecture, read_architecture
from cxr.model.backbone import Backbone
from cxr.text import nearest

LAYERS = Path(__file__).with_name("layers")


@dataclass(frozen=True)
class Described:
    """A backbone with the layers that it has at its width."""

    name: str
    backbone: Backbone
    architecture: Architecture


def backbone_names() -> list[str]:
    """The backbones that there are, sorted."""
    return sorted({*_own_backbones(), *installed(BACKBONES)})


def describe(config: BackboneConfig) -> Described:
    """The backbone of a config.

    Raises:
        UserError: No backbone has this name, or the file is no backbone.
    """
    if config.name not in backbone_names():
        raise UserError(f"backbone.name={config.name} is not known: {nearest(config.name, backbone_names())}")
    if backbone_of(config.name) is None:
        return Described(config.name, *import_module(f"cxr.model.backbones.{config.name}").describe(config))
    return _described(config.name, config.alpha)


@cache
def _described(name: str, alpha: float) -> Described:
    """A backbone that no config describes; its layers are in a table, or Keras has to build it."""
    backbone = backbone_of(name)
    assert backbone is not None
    if alpha != 1 and backbone.widened is None:
        raise UserError(f"backbone.alpha={alpha:g}: {backbone.title} has one width: leave out backbone.alpha")
    table = LAYERS / f"{backbone.layers or name}.csv"
    architecture = read_architecture(table) if table.is_file() else _layers_as_built(name)
    return Described(name, backbone, backbone.widened(architecture, alpha) if backbone.widened else architecture)


def backbone_of(name: str) -> Backbone | None:
    """The backbone of a known name; None for one that a config describes."""
    own = name in _own_backbones()
    backbone: Backbone | None = (
        getattr(import_module(f"cxr.model.backbones.{name}"), "BACKBONE", None) if own else load(BACKBONES, name)
    )
    return backbone


def _own_backbones() -> list[str]:
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "registry"))


def _layers_as_built(name: str) -> Architecture:
    """In a process of its own: here Keras would start TensorFlow before its threads and seed are set."""
    code = "import sys; sys.path[:] = sys.argv[3:]; from cxr.model.construction import write_layers; write_layers(*sys.argv[1:3])"
    with TemporaryDirectory(prefix="cxr-") as folder:
        table = Path(folder) / "layers.csv"
        command = [sys.executable, "-P", "-c", code, name, str(table), *sys.path]  # never modules of the working folder
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        if built.returncode:
            raise UserError(f"backbone.name={name} can't be built: {(built.stderr.strip().splitlines() or ['no reason'])[-1]}")
        return read_architecture(table)
