"""An audit trail of answers: a line of JSON each, with the hash of the line before, so that a change of any line shows.

As in a hash chain for time-stamps (Haber and Stornetta, "How to time-stamp a digital document", 1991, section 5.1). The lines hold
hashes of files and no names of them. Whoever can write the file can make all of it anew: keep its last hash elsewhere.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from cxr.errors import UserError
from cxr.predict.answer import Answer
from cxr.text import parse_json

_FIRST = "0" * 64  # stands before the first line


def append(path: Path, answers: Sequence[Answer], by: dict[str, Any]) -> None:
    """Add a line for each answer; `by` says which model and operating point. Other processes wait. Raises `UserError`."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        with FileLock(f"{path}.lock"), path.open("a+b") as file:
            before = _last_hash(file)
            for answer in answers:
                said = {
                    **{"time": now, "sha256": answer.sha256, "class": answer.called, "zone": answer.zone},
                    **{"probabilities": answer.probabilities, "flagged": bool(answer.flags), **by, "before": before},
                }
                before = _hash(said)
                file.write(json.dumps({**said, "hash": before}, sort_keys=True).encode() + b"\n")
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror}") from None


def verify(path: Path) -> tuple[int, str]:
    """The number of lines and the last hash of a whole chain; raises `UserError` that names the first line that breaks it."""
    before, count = _FIRST, 0
    try:
        with path.open("rb") as file:
            for count, line in enumerate(file, 1):
                said = _read(line)
                hashed = said.pop("hash", None)
                if said.get("before") != before or hashed != _hash(said):
                    raise UserError(f"{path} was changed: line {count} does not follow from the lines before it")
                before = str(hashed)
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from None
    return count, before


def _last_hash(file: Any) -> str:
    file.seek(0, 2)
    end = file.tell()
    if not end:
        return _FIRST
    file.seek(max(0, end - 65536))
    last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    found = _read(last).get("hash")
    if not isinstance(found, str):
        raise UserError(f"{file.name} ends in a line that is no answer: check it with --verify-log")
    return found


def _read(line: bytes) -> dict[str, Any]:
    try:
        said = parse_json(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _hash(said: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
