"""The audit trail: any change of any line shows, and no name of a file is in it."""

import json
from multiprocessing import get_context
from pathlib import Path

import pytest

from cxr.errors import UserError
from cxr.predict.chain import append, verify
from tests.predict.made import answered, refused, unread

BY = {"run": "r", "point": "argmax"}


def trail(path: Path) -> list[str]:
    append(path, [answered("patient-1.png"), refused("patient-2.png")], BY)
    append(path, [unread("patient-3.png")], BY)
    return path.read_text().splitlines(keepends=True)


def test_a_chain_is_whole_and_names_no_file(tmp_path: Path) -> None:
    lines = trail(tmp_path / "log")
    count, last = verify(tmp_path / "log")
    assert (count, last) == (3, json.loads(lines[-1])["hash"])
    assert "patient" not in "".join(lines)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: [lines[0].replace("COVID", "Normal"), *lines[1:]], 1),
        (lambda lines: [lines[0], lines[2]], 2),
        (lambda lines: [lines[1], lines[0], lines[2]], 1),
        (lambda lines: [*lines, lines[2]], 4),
        (lambda lines: [*lines[:2], lines[2][:40]], 3),
        (lambda lines: [lines[0], "[]\n", *lines[1:]], 2),
    ],
    ids=["changed", "left out", "moved", "repeated", "cut off", "added"],
)
def test_a_change_of_any_line_shows(change: object, line: int, tmp_path: Path) -> None:
    lines = trail(tmp_path / "log")
    (tmp_path / "log").write_text("".join(change(lines)))  # type: ignore[operator]
    with pytest.raises(UserError, match=f"log was changed: line {line} does not follow"):
        verify(tmp_path / "log")


def test_a_line_that_is_nested_too_deep_breaks_the_chain(tmp_path: Path) -> None:
    lines = trail(tmp_path / "log")
    (tmp_path / "log").write_text("".join([*lines, "[" * 100_000 + "\n"]))
    with pytest.raises(UserError, match="line 4 does not follow"):
        verify(tmp_path / "log")


def test_nothing_is_added_to_a_file_that_is_no_chain(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("notes\n")
    with pytest.raises(UserError, match=r"log ends in a line that is no answer: check it with --verify-log"):
        append(tmp_path / "log", [answered("1.png")], BY)
    assert (tmp_path / "log").read_text() == "notes\n"


def _add(path: Path) -> None:
    for _ in range(10):
        append(path, [answered("1.png")], BY)


def test_processes_that_add_at_once_make_one_chain(tmp_path: Path) -> None:
    processes = [get_context("spawn").Process(target=_add, args=(tmp_path / "log",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert verify(tmp_path / "log")[0] == 20
