"""The files of a batch: predictions.jsonl, which grows with each chunk, then predictions.csv, and predictions.json about both."""

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from cxr.errors import UserError
from cxr.predict.answer import Answer, row_of
from cxr.safe_csv import marked
from cxr.text import parse_json

LINES, TABLE, ABOUT = "predictions.jsonl", "predictions.csv", "predictions.json"
# Become LINES and ABOUT when the batch has ended; the files of an earlier batch stay until then.
_GROWING, _ABOUT_GROWING = "predictions.part.jsonl", "predictions.part.json"
_ROWS_AT_ONCE = 5000  # of the table


@dataclass
class Output:
    """The folder of one batch. `about` says which model, operating point and versions answered."""

    folder: Path
    about: dict[str, Any]

    @classmethod
    def begin(cls, folder: Path, about: dict[str, Any], resume: bool) -> "Output":
        """Make the folder, or go on in it.

        Raises `UserError` for a batch that was interrupted, unless it is to be resumed, and then for one of another model or other
        settings.
        """
        check_whole(folder, resume)
        growing, said = folder / _GROWING, folder / _ABOUT_GROWING
        if growing.exists():
            if (before := _read_about(said)) != about:
                differs = [key for key in about if not isinstance(before, dict) or before.get(key) != about[key]]
                raise UserError(f"the batch in {folder} was begun with another {', '.join(differs)}: name another folder with --to")
            _cut_half_line(growing)
            return cls(folder, about)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            said.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
            growing.touch()
        except OSError as error:
            raise UserError(f"{folder} can't be written: {error.strerror}") from None
        return cls(folder, about)

    def answers(self) -> Iterator[Answer]:
        """The answers so far, one by one."""
        return self._read(self.folder / _GROWING)

    def answered(self) -> set[str]:
        """Paths that are answered already, as they stand in the file."""
        return {answer.to_json()["path"] for answer in self.answers()}

    def add(self, answers: Sequence[Answer]) -> None:
        """Append answers; they are on disk when this returns."""
        lines = "".join(json.dumps(answer.to_json(), ensure_ascii=False) + "\n" for answer in answers)
        with (self.folder / _GROWING).open("a", encoding="utf-8") as file:
            file.write(lines)
            file.flush()
            os.fsync(file.fileno())

    def end(self, classes: Sequence[str]) -> None:
        """Write the table, and give the lines their final name: then the batch is whole."""
        growing, unfinished = self.folder / _GROWING, self.folder / f"{TABLE}.part"
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            coming = self._read(growing)
            for number, some in enumerate(iter(lambda: list(islice(coming, _ROWS_AT_ONCE)), [])):
                frame = pd.DataFrame([row_of(answer, classes) for answer in some])
                marked(frame).to_csv(file, index=False, header=number == 0, lineterminator="\n")
        unfinished.replace(self.folder / TABLE)
        ended = {**self.about, "ended": datetime.now(UTC).isoformat(timespec="seconds")}
        said = self.folder / _ABOUT_GROWING
        said.write_text(json.dumps(ended, indent=2) + "\n", encoding="utf-8")
        said.replace(self.folder / ABOUT)
        growing.replace(self.folder / LINES)

    def read(self) -> Iterator[Answer]:
        """The answers of a batch that has ended, one by one."""
        return self._read(self.folder / LINES)

    def _read(self, path: Path) -> Iterator[Answer]:
        with path.open(encoding="utf-8") as file:
            for line in file:
                try:
                    yield Answer.from_json(parse_json(line))
                except (ValueError, KeyError, TypeError):
                    raise UserError(f"{path} holds a line that is no answer: name another folder with --to") from None


def check_whole(folder: Path, resume: bool) -> None:
    """Raise `UserError` for a folder with a batch that was interrupted, unless it is to be resumed."""
    if not resume and (folder / _GROWING).exists():
        raise UserError(f"{folder} holds an interrupted batch: go on with --resume, or name another folder with --to")


def _read_about(path: Path) -> Any:
    try:
        return parse_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def _cut_half_line(path: Path) -> None:
    """Cut off what an interruption left of the last line."""
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        with path.open("r+b") as file:
            file.truncate(whole)
