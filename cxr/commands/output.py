"""Checks of files that a command will write, and tables that it prints."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from cxr.errors import UserError
from cxr.progress import wide_console


def check_folder(*files: Path | None) -> None:
    """Raise `UserError` if the folder of an output file does not exist. Call it before the work; None is no file."""
    for file in files:
        if file and not file.parent.is_dir():
            raise UserError(f"{file} is in a folder that does not exist: make it first, or choose another")


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
