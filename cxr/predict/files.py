"""The files to answer: named, below folders, in a table, or listed on standard input."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cxr.config.schema import ColumnsConfig
from cxr.data.safe_csv import unmarked
from cxr.data.tables.columns import columns_of
from cxr.data.tables.file import EXCEL, PARQUET, read_columns
from cxr.data.tables.named_files import NamedFiles
from cxr.errors import UserError
from cxr.predict.answer import Answer
from cxr.text import listed, nearest

TABLES = (".csv", ".tsv", *EXCEL, *PARQUET)
LISTED = "-"  # in place of a path: standard input lists the files, a line each


def find_files(
    paths: Sequence[str], own: Sequence[Path], lines: Iterable[str], column: str | None = None
) -> tuple[list[str], list[Answer]]:
    """All files meant by `paths`, in their order, each once, and answers for folders that can't be read.

    Of a folder every file below it, sorted, without hidden ones. What is below the folders `own` is output of this or an earlier
    batch, and is left out. Links to folders are followed, each folder once. `lines` are those of standard input. `column` of tables
    names the files; None: it is found.

    Raises:
        UserError: A path does not exist, a table names no files, or there is no file at all.
    """
    files, unreadable = list[str](), list[Answer]()
    output = {os.path.realpath(folder) for folder in own}
    for path in paths:
        if path == LISTED:
            files += [line.rstrip("\r\n") for line in lines if line.strip()]
        elif Path(path).is_dir():
            files += _below(path, output, unreadable)
        elif path.lower().endswith(TABLES) and Path(path).is_file():
            files += _of_table(Path(path), column)
        elif Path(path).exists() or Path(path).is_symlink():
            files.append(path)
        else:
            raise UserError(f"there is no file or folder {path}")
    if not files and not unreadable:
        raise UserError(f"there is no file in {', '.join(paths)}")
    return list(dict.fromkeys(files)), unreadable


def _below(folder: str, output: set[str], unreadable: list[Answer]) -> Iterator[str]:
    seen: set[tuple[int, int]] = set()

    def refused(error: OSError) -> None:
        unreadable.append(Answer(str(error.filename), reason=f"the folder can't be read: {error.strerror}"))

    for place, folders, names in os.walk(folder, followlinks=True, onerror=refused):
        stat = os.stat(place)  # noqa: PTH116 - a set has many folders
        identity = stat.st_dev, stat.st_ino
        if identity in seen or os.path.realpath(place) in output:  # a loop of links, or what is written here
            folders.clear()
            continue
        seen.add(identity)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(place, name) for name in sorted(names) if not name.startswith("."))  # noqa: PTH118 - as above


def _of_table(path: Path, column: str | None) -> list[str]:
    """The files that a table lists, relative to its folder."""
    try:
        table = read_columns(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path} can't be read as a table: {' '.join(str(error).split())[:200]}") from None
    files = NamedFiles(path.parent)
    if column is None:
        try:
            column = columns_of(table, ColumnsConfig(), files.are_named, str(path), roles=("path",))["path"]
        except UserError:
            raise UserError(
                f"{path} has no column, or several, that may name files below {path.parent}: choose one with --column, of "
                f"{listed([*map(str, table.columns)], 12)}"
            ) from None
    elif column not in table.columns:
        raise UserError(f"{path} has no column {column}: {nearest(column, map(str, table.columns))}")
    return [str(path.parent / name) for name in files.found(unmarked(table)[column].tolist()) if name]
