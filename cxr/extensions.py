"""Parts that an installed package adds, by entry point: a config can name them, and never say where their code is."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from cxr.errors import UserError

LOSSES, AUGMENTATIONS, METRICS, BACKBONES = "cxr.losses", "cxr.augmentations", "cxr.metrics", "cxr.backbones"


@cache
def installed(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name, in the order of the names."""
    return {each.name: each for each in sorted(entry_points(group=group), key=lambda each: each.name)}


def load(group: str, name: str) -> Any:
    """What an entry point names; raises `UserError` where its package can't be imported."""
    try:
        return installed(group)[name].load()
    except Exception as error:  # of code that is not cxr's
        raise UserError(
            f"{name}, which the entry point {group} of an installed package adds, can't be imported "
            f"({type(error).__name__}: {error}): mend or uninstall that package"
        ) from error


def packages() -> dict[str, str]:
    """The version of each installed package that adds something, by name: results may depend on it."""
    adding = [each.dist for group in (LOSSES, AUGMENTATIONS, METRICS, BACKBONES) for each in installed(group).values()]
    return {each.name: each.version for each in adding if each is not None}
