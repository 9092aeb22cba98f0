"""Checks of files that a command will write."""

from pathlib import Path

from cxr.errors import UserError


def check_folder(file: Path) -> None:
    """Raise `UserError` if the folder of an output file does not exist. Call it before the work."""
    if not file.parent.is_dir():
        raise UserError(f"{file} is in a folder that does not exist: make it first, or choose another")
