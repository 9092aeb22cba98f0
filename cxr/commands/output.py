"""Checks of files that a command will write, and tables that it prints."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp

from rich import box
from rich.table import Table

from cxr.errors import UserError
from cxr.progress import wide_console


def check_files(*files: Path | None) -> None:
    """Raise `UserError` if a file can't be written, and leave nothing. Call it before the work; None is no file."""
    for file in filter(None, files):
        with _refusing(file, "name another file"):
            if file.is_dir():
                raise IsADirectoryError(None, "it is a folder")
            if not file.parent.is_dir():
                raise NotADirectoryError(None, f"{file.parent} {'is a file' if file.parent.exists() else 'does not exist'}")
            if file.exists() and not os.access(file, os.W_OK):
                raise PermissionError(None, "it is there, and not yours to change")
            _try(file.parent, file.name)


def check_folders(*folders: Path | None) -> None:
    """Raise `UserError` if a folder can't be made or written into, and leave nothing; None is no folder."""
    for folder in filter(None, folders):
        with _refusing(folder, "name another folder"):
            top = next(path for path in (folder, *folder.absolute().parents) if path.exists())
            if not top.is_dir():
                raise NotADirectoryError(None, f"{top} is a file")
            _try(top, "cxr")


@contextmanager
def _refusing(path: Path, advice: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} can't be written ({error.strerror or error}): {advice}") from None


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
