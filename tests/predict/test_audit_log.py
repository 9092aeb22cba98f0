"""The audit log: any change of any line shows, no name of a file is in it, and an interruption is no change."""

import json
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import UserError
from cxr.predict.audit_log import AuditLog, verify
from tests.predict.made import answered, full_disk, refused, unread

EARLIER = (  # as version 0.2 wrote them
    '{"before": "0000000000000000000000000000000000000000000000000000000000000000", "class": "COVID", '
    '"flagged": false, "hash": "e44369840eab9255982b1b3e99a0ffa565ccce2d90b08549f40e63a2a8cbc328", '
    '"point": "argmax", "probabilities": {"covid": 0.9, "normal": 0.09999999999999998}, "run": "r", '
    '"sha256": "abababababababababababababababababababababababababababababababab", "time": '
    '"2026-11-29T17:15:49+00:00", "zone": "fast_track"}\n'
    '{"before": "e44369840eab9255982b1b3e99a0ffa565ccce2d90b08549f40e63a2a8cbc328", "class": "", '
    '"flagged": false, "hash": "474da91603d337fb15f57ff9acbdfe57f7b60b1bc9da953daf0506afe454c2ee", '
    '"point": "argmax", "probabilities": {}, "run": "r", "sha256": "", "time": '
    '"2026-11-29T17:15:49+00:00", "zone": ""}\n'
)
SOURCE = {"run": "r", "point": "argmax"}


def log_at(path: Path, batch: str = "b" * 32, note: Callable[[str], None] = print) -> AuditLog:
    return AuditLog(path, batch, SOURCE, note)


def lines_of(path: Path) -> list[str]:
    log_at(path).append([answered("patient-1.png"), refused("patient-2.png")])
    log_at(path).append([unread("patient-3.png")])
    return path.read_text().splitlines(keepends=True)


def test_log_is_whole_and_names_no_file(tmp_path: Path) -> None:
    lines = lines_of(tmp_path / "log")
    count, last = verify(tmp_path / "log")
    assert (count, last) == (3, json.loads(lines[-1])["hash"])
    assert "patient" not in "".join(lines)


Lines = list[str]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        pytest.param(lambda lines: [lines[0].replace("COVID", "Normal"), *lines[1:]], 1, id="changed"),
        pytest.param(lambda lines: [lines[0], lines[2]], 2, id="left out"),
        pytest.param(lambda lines: [lines[1], lines[0], lines[2]], 1, id="moved"),
        pytest.param(lambda lines: [*lines, lines[2]], 4, id="repeated"),
        pytest.param(lambda lines: [*lines[:2], lines[2].replace("false", "true").rstrip()], 3, id="changed without end"),
        pytest.param(lambda lines: [*lines[:2], lines[2][:40] + "\n"], 3, id="cut off"),
        pytest.param(lambda lines: [lines[0], "[]\n", *lines[1:]], 2, id="added"),
        pytest.param(lambda lines: [*lines, "a note"], 4, id="added without end"),
        pytest.param(lambda lines: [*lines, "[" * 100_000 + "\n"], 4, id="nested too deep"),
    ],
)
def test_change_of_any_line_is_found(change: Callable[[Lines], Lines], line: int, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("".join(change(lines_of(tmp_path / "log"))))
    with pytest.raises(UserError, match=f"log was changed: line {line} does not follow"):
        verify(tmp_path / "log")


CHANGED = json.dumps({"before": "0" * 64, "flagged": True, "hash": "12" * 32}) + "\n"


@pytest.mark.parametrize("content", ["notes", "notes\n", "[1]", '{"before": "0"}\n', CHANGED])
def test_file_that_ends_in_no_answer_stays_as_it_is(content: str, tmp_path: Path) -> None:
    (tmp_path / "log").write_text(content)
    with pytest.raises(UserError, match=r"log ends in a line that is no answer: check it with --verify-log"):
        log_at(tmp_path / "log").append([answered("1.png")])
    assert (tmp_path / "log").read_text() == content


@given(st.data())
def test_batch_completes_its_log_after_any_interruption(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A killed process leaves any number of bytes of the last write."""
    path = tmp_path_factory.mktemp("cut") / "log"
    log_at(path, "a" * 32).append([answered("of another batch.png")])
    answers = [answered("1.png"), refused("2.png"), unread("3.png")]
    before = path.stat().st_size
    log_at(path).append(answers)
    whole = path.read_bytes()
    left = data.draw(st.integers(before, len(whole)))
    path.write_bytes(whole[:left])
    notes: list[str] = []
    log_at(path, note=notes.append).complete(answers)
    assert verify(path)[0] == 4
    assert path.read_bytes().count(b'"batch": "' + b"b" * 32) == 3
    unfinished = whole[:left].rpartition(b"\n")[2]
    is_cut = unfinished and unfinished + b"\n" not in whole.splitlines(keepends=True)
    assert notes == ([f"{path} ended in a line that an interrupted write left unfinished: it was cut off"] if is_cut else [])


def test_unfinished_line_is_not_called_a_change(tmp_path: Path) -> None:
    lines = lines_of(tmp_path / "log")
    (tmp_path / "log").write_text("".join([*lines[:2], lines[2][:40]]))
    with pytest.raises(UserError, match=r"line 3 of .*log is unfinished.* the lines before it are whole") as error:
        verify(tmp_path / "log")
    assert "changed" not in str(error.value)


def test_full_disk_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    whole = "".join(lines_of(tmp_path / "log"))
    with full_disk(len(whole) + 700), pytest.raises(UserError, match="log can't be written: File too large"):
        log_at(tmp_path / "log").append([answered("4.png"), answered("5.png")])
    assert (tmp_path / "log").read_text() == whole


def test_log_of_an_earlier_version_is_continued(tmp_path: Path) -> None:
    """Its lines name no batch."""
    (tmp_path / "log").write_text(EARLIER)
    log_at(tmp_path / "log").append([answered("1.png")])
    assert verify(tmp_path / "log")[0] == 3


def _add(path: Path) -> None:
    for _ in range(10):
        log_at(path).append([answered("1.png")])


def test_simultaneous_processes_make_one_log(tmp_path: Path) -> None:
    processes = [get_context("spawn").Process(target=_add, args=(tmp_path / "log",)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert verify(tmp_path / "log")[0] == 20
