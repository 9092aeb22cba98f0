"""Fields of the schema: how a value is limited to a range or to names, and how all of a config are listed."""

import json
from collections.abc import Iterator
from dataclasses import Field, field, fields, is_dataclass
from typing import Any


def number(default: Any, low: float, high: float, *, above: bool = False, below: bool = False) -> Any:
    """A numeric field within [low, high]; `above` and `below` leave that end out."""
    text = f"{'above' if above else 'at least'} {low:g} and {'below' if below else 'at most'} {high:g}"

    def fits(value: float) -> bool:
        return (value > low if above else value >= low) and (value < high if below else value <= high)

    return field(default=default, metadata={"fits": fits, "text": text})


def choice(default: str, *names: str) -> Any:
    """A text field that takes one of `names`."""
    return field(default=default, metadata={"names": names})


def path(default: str | None = None) -> Any:
    """A text field that holds the path of a file or folder, or a word in place of one."""
    return field(default=default, metadata={"path": True})


def settings(node: Any, prefix: str = "") -> Iterator[tuple[str, Any, Field[Any]]]:
    """Every leaf of a config as (dotted key, value, dataclass field), in the order of the schema."""
    for item in fields(node):
        value = getattr(node, item.name)
        if is_dataclass(value):
            yield from settings(value, f"{prefix}{item.name}.")
        else:
            yield f"{prefix}{item.name}", value, item


def flat_params(config: Any) -> dict[str, str]:
    """The config's values by dotted key, as MLflow params; lists and mappings as JSON."""
    return {key: json.dumps(value) if isinstance(value, list | dict) else str(value) for key, value, _ in settings(config)}
