"""The files that a table names: by path, by the end of a path, or by name alone."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import pandas as pd

from cxr.data.layout.listing import list_images


class NamedFiles:
    """The files below a folder, as tables name them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @cached_property
    def _by_name(self) -> dict[str, str]:
        """The path of each image by its name, and by its name without suffix, as far as no other has it."""
        by_name: dict[str, str] = {}
        for path in list_images(self.root).paths:
            pure = PurePosixPath(path)
            for name in {pure.name, pure.stem}:
                by_name[name] = "" if name in by_name else path
        return by_name

    def found(self, paths: Sequence[str]) -> list[str]:
        """The path of each file below the root; as it is where there is no such file."""
        return [self._find(path) or path for path in paths]

    def are_named(self, values: pd.Series) -> bool:
        """Whether most values name files.

        Args:
            values: (n,), text.
        """
        return len(values) > 0 and bool(values.map(lambda value: bool(self._find(value.replace("\\", "/")))).mean() > 0.5)

    def _find(self, path: str) -> str:
        parts = [part for part in path.split("/") if part]
        if not parts or ".." in parts:
            return ""
        for start in range(len(parts)):
            below = "/".join(parts[start:])
            if os.path.isfile(self.root / below):  # noqa: PTH113 - of Path it raises for long names
                return below
        return self._by_name.get(parts[-1], "")
