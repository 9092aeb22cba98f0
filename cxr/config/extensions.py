"""Parts that an installed package adds, by entry point: a config can name them, and never say where their code is."""

import hashlib
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cxr.errors import UserError

LOSSES, AUGMENTATIONS, METRICS, BACKBONES = "cxr.losses", "cxr.augmentations", "cxr.metrics", "cxr.backbones"


@cache
def installed(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name, in the order of the names."""
    return {entry.name: entry for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)}


def load(group: str, name: str) -> Any:
    """The object that an entry point names.

    Raises:
        UserError: Its package can't be imported.
    """
    try:
        return installed(group)[name].load()
    except Exception as error:  # of code that is not cxr's
        raise _not_imported(group, name, f"{type(error).__name__}: {error}") from error


@cache
def content_of(group: str, name: str) -> str:
    """The version of the package that an entry point names, and the SHA-256 of its sources, 16 hex digits; nothing is imported.

    Raises:
        UserError: They can't be read.
    """
    entry = installed(group)[name]
    package = entry.module.partition(".")[0]
    try:
        if (spec := find_spec(package)) is None:
            raise ImportError(f"no module {package}")
        folders = [Path(place) for place in (spec.submodule_search_locations or ())]
        files = sorted(file for folder in folders for file in folder.rglob("*.py")) or [Path(str(spec.origin))]
        digest = hashlib.sha256()
        for file in files:
            digest.update(f"{file.name}\0".encode() + file.read_bytes())
    except (OSError, ValueError, ImportError) as error:
        raise _not_imported(group, name, error) from None
    return f"{entry.dist.version if entry.dist else '?'} {digest.hexdigest()[:16]}"


def _not_imported(group: str, name: str, reason: object) -> UserError:
    of_package = f"{name}, which the entry point {group} of an installed package adds"
    return UserError(f"{of_package}, can't be imported ({reason}): mend or uninstall that package")
