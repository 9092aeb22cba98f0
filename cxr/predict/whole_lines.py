"""Files that grow by whole lines: a full disk adds none, and what a killed process left of one can be cut off."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from cxr.text import parse_json

RESUME = ": correct that, then resume with --resume"  # the end of an error
_MOST = 2**20  # bytes of a line


def append_whole(path: Path, lines: bytes) -> None:
    """Append lines, which are on disk when this returns; none is added where `OSError` is raised."""
    size = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        with suppress(OSError):
            os.truncate(path, size)
        raise


def last_lines(path: Path) -> tuple[bytes, bytes]:
    """The last whole line, and what follows it: something where a write was interrupted. Both are empty without a file."""
    if not path.exists():
        return b"", b""
    with path.open("rb") as file:
        count = min(2 * _MOST, file.seek(0, os.SEEK_END))
        file.seek(-count, os.SEEK_END)
        *whole, unfinished = file.read(count).split(b"\n")
    return whole[-1] if whole else b"", unfinished


def object_in(text: bytes) -> dict[str, Any]:
    """The object in a text of JSON; {} for any other text, such as the beginning of one."""
    try:
        content = parse_json(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def cut_end(path: Path, count: int) -> None:
    """Cut off so many bytes at the end."""
    os.truncate(path, path.stat().st_size - count)
