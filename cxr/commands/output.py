"""Checks of files that a command will write."""

from pathlib import Path

from cxr.errors import UserError


def check_folder(file: Path) -> None:
    """Raise `UserError` where the folder of a file to be written is not there; to be asked before the work is done."""
    if not file.parent.is_dir():
        raise UserError(f"{file} is in a folder that does not exist: make it first, or choose another")
