"""Checks of files that a command will write, and tables that it prints."""

from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.table import Table

from cxr.errors import UserError


def check_folder(*files: Path | None) -> None:
    """Raise `UserError` if the folder of an output file does not exist. Call it before the work; None is no file."""
    for file in files:
        if file and not file.parent.is_dir():
            raise UserError(f"{file} is in a folder that does not exist: make it first, or choose another")


def new_table(headings: Sequence[str], title: str | None = None) -> Table:
    """An empty table for the terminal: the first column is aligned to the left, the others to the right."""
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table
