"""A table beside images that may hold their labels, for a hint where folders hold none."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from cxr.config.schema import ColumnsConfig
from cxr.data.tables.columns import columns_of
from cxr.data.tables.file import SUFFIXES, read_columns
from cxr.errors import UserError
from cxr.text import in_shell

_MOST = 8  # tables that are looked into


def hint_at_table(root: Path, paths: Sequence[str]) -> str:
    """The command that reads the first table in `root` which lists images below it; "" without such a table."""
    names = {name for path in map(PurePosixPath, paths) for name in (path.name, path.stem)}

    def holds_files(values: pd.Series) -> bool:
        return len(values) > 0 and bool(
            values.map(lambda value: PurePosixPath(value.replace("\\", "/")).name in names).mean() > 0.5
        )

    tables = sorted(path for path in root.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    for table in tables[:_MOST]:
        try:
            columns = read_columns(table)
            if not any(holds_files(columns[name].head(100)) for name in columns):
                continue
            columns_of(columns, ColumnsConfig(), holds_files, table.name)
            label: list[str] = []
        except (OSError, ValueError):
            continue
        except UserError:  # it has no label by a usual name, or several
            label = ["data.columns.label=COLUMN"]
        command = in_shell("cxr", "data=manifest", f"data.manifest={table}", f"data.root={root}", *label)
        return f"; or, since {table.name} lists images: {command}"
    return ""
