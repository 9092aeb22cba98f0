"""The code that computes each stage, by content: this package's modules, and what installed packages plug in."""

import ast
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cxr.config import extensions
from cxr.stages.table import CODE, ROWS, Params, Stage, augments

_PLUGGED = {Stage.NETWORK: extensions.BACKBONES, Stage.VIEWS: extensions.AUGMENTATIONS, Stage.TRAIN: extensions.LOSSES}
_NAMES_ONE = {Stage.NETWORK: "backbone.name", Stage.TRAIN: "loss.formula"}  # the setting that names the one that is used


def stage_of_module(name: str) -> Stage | None:
    """The first stage that a module computes something for, by its path in the package; None: it computes no result.

    Raises:
        KeyError: The table does not have the module.
    """
    known = [place for place in CODE if name == place or (place.endswith("/") and name.startswith(place))]
    if not known:
        raise KeyError(f"cxr/stages/table.py does not say which stage {name} computes")
    return CODE[max(known, key=len)]


@cache
def modules_of(stage: Stage) -> Mapping[str, str]:
    """The hash of the syntax of each module that computes a stage, by its path: the same for a checkout and a wheel of it.

    Comments, docstrings and layout do not count. The version of Python does: each version writes the syntax in its own way.
    """
    package = Path(__file__).parents[1]
    names = sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    counted = [name for name in names if not name.endswith("__init__.py") and stage_of_module(name) == stage]
    return {name: short_hash(syntax_of((package / name).read_text(encoding="utf-8"))) for name in counted}


def plugged_in(stage: Stage, params: Params) -> dict[str, str]:
    """The version and content of what installed packages add to a stage of this config, by name.

    Every installed augmentation counts where images are augmented, and every installed metric.
    """
    group = extensions.METRICS if stage == Stage.ASSESS else _PLUGGED.get(stage)
    if group is None or (stage == Stage.VIEWS and not augments(params)):
        return {}
    names = extensions.installed(group)
    chosen = [params.get(_NAMES_ONE[stage], "")] if stage in _NAMES_ONE else list(names)
    return {name: extensions.content_of(group, name) for name in chosen if name in names}


@cache
def version_of(library: str) -> str:
    """The version of an installed library; "" without one."""
    try:
        return version(library)
    except PackageNotFoundError:
        return ""


def syntax_of(source: str) -> str:
    r"""A Python source without comments, docstrings and layout.

    >>> syntax_of("'A module.'\ndef f():  # why\n    'Does.'\n    return  (1)\n")
    'def f():\n    return 1'
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


def short_hash(text: str) -> str:
    """16 hex digits of the SHA-256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@cache
def code_fingerprint() -> str:
    """The hash of all modules that compute a result, 16 hex digits."""
    return short_hash(repr([sorted(modules_of(stage).items()) for stage in Stage]))


@cache
def library_versions() -> dict[str, str]:
    """The version of each library that a stage rests on, by name; "" for one that is not installed."""
    return {name: version_of(name) for name in sorted({name for row in ROWS for name in row.libraries})}
