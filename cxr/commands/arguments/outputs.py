"""Where a command may write."""

from pathlib import Path

from cxr.errors import UserError
from cxr.tracking.store import FOLDER


def output_path(text: str) -> Path:
    """The path of a file or folder to write; raises `UserError` for one among the runs, where only runs are written."""
    path = Path(text)
    if path.resolve().is_relative_to(FOLDER.resolve()):
        raise UserError(f"{text} is in {FOLDER}, which keeps runs and what is under way: name a place outside it")
    return path
