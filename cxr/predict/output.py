"""The files of a batch: predictions.jsonl, which grows with each chunk, then predictions.csv, and predictions.json about both."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count, islice
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

import pandas as pd
from filelock import FileLock, Timeout

from cxr.data.safe_csv import marked
from cxr.errors import UserError, writing
from cxr.predict.answer import Answer, row_of
from cxr.predict.whole_lines import RESUME, append_whole, cut_end, last_lines, object_in
from cxr.text import parse_json

LINES, TABLE, ABOUT = "predictions.jsonl", "predictions.csv", "predictions.json"
# Are there until the batch has ended; the files of an earlier batch stay until then.
_GROWING, _ABOUT_GROWING = "predictions.part.jsonl", "predictions.part.json"
_LOCK = ".predictions.lock"  # held while a batch is under way
_ROWS_AT_ONCE = 5000  # of the table


@dataclass(frozen=True)
class Output:
    """The folder of one batch. `about` has the model, operating point and versions behind it; `batch` names it in audit logs."""

    folder: Path
    about: dict[str, Any]
    batch: str

    def given(self) -> Iterator[Answer]:
        """All answers so far, in the order in which they were given: of a file that has changed since, several.

        Raises:
            UserError: A line is no answer.
        """
        path = self.folder / _GROWING
        with path.open(encoding="utf-8") as file:
            for line in file:
                try:
                    yield Answer.from_json(parse_json(line))
                except (ValueError, KeyError, TypeError):
                    raise UserError(f"{path} holds a line that is no answer: name another folder with --to") from None

    def answers(self) -> Iterator[Answer]:
        """The answers so far, one for each file: the latest."""
        latest = {answer.path: row for row, answer in enumerate(self.given())}
        return (answer for row, answer in enumerate(self.given()) if latest[answer.path] == row)

    def add(self, answers: Sequence[Answer]) -> None:
        """Append answers; they are on disk when this returns."""
        path = self.folder / _GROWING
        with writing(path, RESUME):
            append_whole(path, _as_lines(answers).encode())

    def end(self, classes: Sequence[str]) -> None:
        """Write table and lines under their final names: then the batch is whole."""
        ended = {**self.about, "batch": self.batch, "ended": datetime.now(UTC).isoformat(timespec="seconds")}
        with writing(self.folder, RESUME):
            files = [self.folder / name for name in (TABLE, LINES, ABOUT)]
            with _unfinished(files[0]) as table, _unfinished(files[1]) as lines, _unfinished(files[2]) as about:
                coming = self.answers()
                for number, some in enumerate(iter(lambda: list(islice(coming, _ROWS_AT_ONCE)), [])):
                    frame = pd.DataFrame([row_of(answer, classes) for answer in some])
                    marked(frame).to_csv(table, index=False, header=number == 0, lineterminator="\n")
                    lines.write(_as_lines(some))
                about.write(json.dumps(ended, indent=2) + "\n")
            for file in files:
                _finish(file)
            (self.folder / _GROWING).unlink()  # until here --resume ends the batch
            (self.folder / _ABOUT_GROWING).unlink()


@contextmanager
def open_output(folder: Path, about: dict[str, Any], resume: bool) -> Iterator[Output]:
    """Make the folder of a batch, or resume in it; no other process can until the end of the block.

    Raises:
        UserError: for a batch that is under way; for one that was interrupted, unless it is to be resumed, and then for one of
            another model or other settings.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        growing, about_growing = folder / _GROWING, folder / _ABOUT_GROWING
        batch = uuid4().hex
        _refuse_interrupted(folder, resume)
        if growing.exists():
            before = object_in(about_growing.read_bytes()) if about_growing.exists() else {}
            batch = before.pop("batch", batch)
            if before != about:
                differs = [key for key in about if before.get(key) != about[key]]
                raise UserError(f"the batch in {folder} was begun with another {', '.join(differs)}: name another folder with --to")
        with writing(folder):
            with _unfinished(about_growing) as file:
                file.write(json.dumps({"batch": batch, **about}, indent=2) + "\n")
            _finish(about_growing)
            growing.touch()
            cut_end(growing, len(last_lines(growing)[1]))
        yield Output(folder, about, batch)


def folders_of_batches() -> list[Path]:
    """Folders for batches whose folder has no name, predictions, predictions-2, ..., up to the first without a whole batch."""
    folders: list[Path] = []
    for number in count(1):
        folders.append(Path(f"predictions-{number}" if folders else "predictions"))
        if (folders[-1] / _GROWING).exists() or not (folders[-1] / ABOUT).exists():
            break
    return folders


def check_output(folder: Path, resume: bool) -> None:
    """Raise `UserError` for a folder with a batch that is under way, or was interrupted and is not to be resumed."""
    if (folder / _GROWING).exists():
        with _locked(folder):
            _refuse_interrupted(folder, resume)


def _refuse_interrupted(folder: Path, resume: bool) -> None:
    if not resume and (folder / _GROWING).exists():
        raise UserError(f"{folder} holds an interrupted batch: resume it with --resume, or name another folder with --to")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = FileLock(folder / _LOCK, timeout=0)
    with writing(folder):
        try:
            lock.acquire()
        except Timeout:
            raise UserError(f"a batch is under way in {folder}: wait for its end, or name another folder with --to") from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _unfinished(path: Path) -> Iterator[TextIO]:
    """The content of `path` to be, which is on disk at the end of the block; `_finish` gives it its name."""
    with path.with_name(f"{path.name}.part").open("w", encoding="utf-8", newline="") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _finish(path: Path) -> None:
    path.with_name(f"{path.name}.part").replace(path)


def _as_lines(answers: Sequence[Answer]) -> str:
    return "".join(json.dumps(answer.to_json(), ensure_ascii=False) + "\n" for answer in answers)
