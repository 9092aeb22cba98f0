"""Audit log of answers: a line of JSON for each, with the hash of the line before, so that a change of any line shows.

As in a hash chain for time-stamps (Haber and Stornetta, "How to time-stamp a digital document", 1991, section 5.1). The lines hold
hashes of files and no names of them. Whoever can write the file can make all of it again: keep its last hash elsewhere.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from filelock import FileLock

from cxr.errors import UserError, writing
from cxr.predict.answer import Answer
from cxr.predict.whole_lines import RESUME, append_whole, cut_end, last_lines, object_in

_FIRST = "0" * 64  # is before the first line
_BEGINNINGS = b'{"batch": "', b'{"before": "'  # of a line, and of one of version 0.2 and before
_AT_ONCE = 1000  # lines


@dataclass(frozen=True)
class AuditLog:
    """The log in a file, which batches may share: other processes wait while one writes.

    `batch` names the batch and `source` the model and operating point in each line; `note` receives what a user should know.
    """

    path: Path
    batch: str
    source: dict[str, Any]
    note: Callable[[str], None]

    def append(self, answers: Sequence[Answer]) -> None:
        """Add a line for each answer, on disk when this returns.

        Raises:
            UserError: if the file can't be written, and then no line was added, or is no audit log.
        """
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with writing(self.path, RESUME), FileLock(f"{self.path}.lock"):
            before, lines = self._last_hash(), []
            for answer in answers:
                record = {
                    **{"time": now, "sha256": answer.sha256, "class": answer.called, "zone": answer.zone},
                    **{"probabilities": answer.probabilities, "flagged": bool(answer.flags)},
                    **{**self.source, "batch": self.batch, "before": before},
                }
                before = _hash(record)
                lines.append(json.dumps({**record, "hash": before}, sort_keys=True).encode() + b"\n")
            append_whole(self.path, b"".join(lines))

    def complete(self, answers: Iterable[Answer]) -> None:
        """Add the lines that the batch lacks, where an interruption came between an answer and its line.

        Args:
            answers: all of the batch so far, in the order in which they were given. Lines are added in this order, so the first n
                have theirs, where n lines name the batch.

        Raises:
            UserError: as `append`.
        """
        self.append(())  # cuts an unfinished line, which is not of the batch
        name = f'"batch": "{self.batch}"'.encode()
        with self.path.open("rb") as file:
            missing = islice(answers, sum(name in line for line in file), None)
        while some := list(islice(missing, _AT_ONCE)):
            self.append(some)

    def _last_hash(self) -> str:
        """The hash of the last line, after what an interrupted write left is cut off, or lacks only the end of its line."""
        last, unfinished = last_lines(self.path)
        if own_hash := _hash_of(unfinished):
            append_whole(self.path, b"\n")
            return own_hash
        own_hash = _hash_of(last) if last else _FIRST
        if not own_hash or not _is_unfinished(unfinished):
            raise UserError(f"{self.path} ends in a line that is no answer: check it with --verify-log")
        if unfinished:
            cut_end(self.path, len(unfinished))
            self.note(f"{self.path} ended in a line that an interrupted write left unfinished: it was cut off")
        return own_hash


def verify(path: Path) -> tuple[int, str]:
    """The number of lines and the last hash of a whole log.

    Raises:
        UserError: that names the first line that does not follow, or says that the last one is unfinished.
    """
    before, count = _FIRST, 0
    try:
        with path.open("rb") as file:
            for count, line in enumerate(file, 1):
                own_hash = _hash_of(line)
                if not own_hash or object_in(line)["before"] != before:
                    if _is_unfinished(line):
                        raise UserError(
                            f"line {count} of {path} is unfinished, because a write was interrupted or is under way; the lines "
                            "before it are whole: resume the batch with --resume and --log, which completes the log"
                        )
                    raise UserError(f"{path} was changed: line {count} does not follow from the lines before it")
                before = own_hash
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror}") from None
    return count, before


def _is_unfinished(line: bytes) -> bool:
    """Whether this is what a killed process leaves: the beginning of a line, or nothing."""
    return (
        not line.endswith(b"\n") and not object_in(line) and any(line[: len(start)] == start[: len(line)] for start in _BEGINNINGS)
    )


def _hash_of(line: bytes) -> str:
    """The hash that a line holds; "" if it is not that of its content."""
    record = object_in(line)
    stored = record.pop("hash", None)
    return stored if "before" in record and stored == _hash(record) else ""


def _hash(record: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()
