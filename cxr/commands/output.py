"""Checks of files that a command will write, and tables that it prints."""

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from tempfile import mkstemp

from rich import box
from rich.table import Table

from cxr.errors import UserError
from cxr.progress import wide_console


def check_files(*files: Path | None) -> None:
    """Check that files can be written, and leave nothing. Call it before the work; None is no file.

    Raises:
        UserError: A file can't be written.
    """
    for file in filter(None, files):
        if obstacle := _obstacle_to_file(file):
            raise UserError(f"{file} can't be written ({obstacle}): name another file")


def check_folders(*folders: Path | None) -> None:
    """Check that folders can be made and written into, and leave nothing; None is no folder.

    Raises:
        UserError: A folder can't be made, or not be written into.
    """
    for folder in filter(None, folders):
        if obstacle := _obstacle_to_folder(folder):
            raise UserError(f"{folder} can't be written ({obstacle}): name another folder")


def _obstacle_to_file(file: Path) -> str:
    try:
        if file.is_dir():
            return "it is a folder"
        if not file.parent.is_dir():
            return f"{file.parent} {'is a file' if file.parent.exists() else 'does not exist'}"
        if file.exists() and not os.access(file, os.W_OK):
            return "it is there, and not yours to change"
        _try(file.parent, file.name)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _obstacle_to_folder(folder: Path) -> str:
    try:
        top = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        if not top.is_dir():
            return f"{top} is a file"
        _try(top, "cxr")
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _try(folder: Path, name: str) -> None:
    """Make a file in a folder, and remove it: nothing else knows of read-only disks, and of names that are too long."""
    descriptor, made = mkstemp(prefix=name, suffix=".part", dir=folder)
    os.close(descriptor)
    os.unlink(made)  # noqa: PTH108 - a name, not a Path


def new_table(headings: Sequence[str], title: str | None = None, left: Collection[str] | None = None) -> Table:
    """An empty table for the terminal; columns in `left`, by default the first, are aligned to the left, the others to the right.

    Words that are too long for a narrow terminal are broken.
    """
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for heading in headings:
        is_left = heading in (headings[:1] if left is None else left)
        table.add_column(heading, justify="left" if is_left else "right", overflow="fold")
    return table


def print_table(
    headings: Sequence[str], rows: Iterable[Sequence[str]], title: str | None = None, left: Collection[str] | None = None
) -> None:
    """Print a table on standard output, with columns as those of `new_table`."""
    table = new_table(headings, title, left)
    for row in rows:
        table.add_row(*row)
    wide_console().print(table)
