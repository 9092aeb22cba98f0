"""The files of a batch: whole or resumable, and read back as they were written."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.data.safe_csv import read_csv
from cxr.errors import UserError
from cxr.predict.answer import Answer, row_of
from cxr.predict.output import check_output, folders_of_batches, open_output
from tests.predict.made import CLASSES, answered, full_disk, refused, unread

ABOUT = {"model": "a", "point": "argmax"}
SOME = [answered("1.png"), refused("=cmd.png"), unread("new\nline.png"), answered("lone \udcff.png", 0.2, "review")]


@given(st.text(), st.floats(0, 1), st.sampled_from(["", "fast_track", "review", "routine"]))
def test_answer_is_the_same_after_json(path: str, p: float, zone: str) -> None:
    answer = answered(path, p, zone)
    again = Answer.from_json(json.loads(json.dumps(answer.to_json())))
    assert again.to_json() == answer.to_json()


def test_rows_of_all_answers_have_the_same_columns() -> None:
    assert len({tuple(row_of(answer, CLASSES)) for answer in SOME}) == 1


def test_batch_ends_with_lines_table_and_description(tmp_path: Path) -> None:
    with open_output(tmp_path / "out", ABOUT, resume=False) as output:
        output.add(SOME[:2])
        output.add(SOME[2:])
        output.end(CLASSES)
    check_whole(tmp_path / "out")
    table = read_csv(tmp_path / "out/predictions.csv")
    assert table["path"].tolist() == ["1.png", "=cmd.png", "new\nline.png", "lone \\udcff.png"]
    assert "\n'=cmd.png" in (tmp_path / "out/predictions.csv").read_text()  # a spreadsheet runs nothing
    assert table["class"].tolist() == ["COVID", "", "", "Normal"]
    assert float(table["p_covid"][3]) == 0.2
    assert pd.read_csv(tmp_path / "out/predictions.csv")["p_covid"].isna().tolist() == [False, False, True, False]
    about = json.loads((tmp_path / "out/predictions.json").read_text())
    assert {**ABOUT, "batch": output.batch}.items() <= about.items()


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def lines_in(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]


def check_whole(folder: Path) -> None:
    """The batch of `SOME` has ended: its three files are there, and nothing else."""
    assert visible(folder) == ["predictions.csv", "predictions.json", "predictions.jsonl"]
    assert lines_in(folder) == [answer.to_json() for answer in SOME]


def refuses(folder: Path, message: str, resume: bool, about: dict[str, str] = ABOUT) -> None:
    with pytest.raises(UserError, match=message), open_output(folder, about, resume):
        pass


def interrupted(folder: Path, answers: list[Answer]) -> str:
    """Leave a batch as a killed process does; returns its name."""
    with open_output(folder, ABOUT, resume=False) as output:
        output.add(answers)
    return output.batch


def test_interrupted_batch_is_resumed_after_its_last_whole_line(tmp_path: Path) -> None:
    batch = interrupted(tmp_path, SOME[:3])
    growing = tmp_path / "predictions.part.jsonl"
    growing.write_bytes(growing.read_bytes()[:-9])
    with pytest.raises(UserError, match="holds an interrupted batch: resume it with --resume"):
        check_output(tmp_path, resume=False)
    refuses(tmp_path, "holds an interrupted batch: resume it with --resume", resume=False)
    check_output(tmp_path, resume=True)
    with open_output(tmp_path, ABOUT, resume=True) as again:
        assert again.batch == batch
        assert [answer.path for answer in again.given()] == ["1.png", "=cmd.png"]
        again.add(SOME[2:])
        again.end(CLASSES)
    assert len(read_csv(tmp_path / "predictions.csv")) == 4


@pytest.mark.parametrize("resume", [False, True])
def test_batch_under_way_is_not_called_interrupted(tmp_path: Path, resume: bool) -> None:
    expected = "a batch is under way in .*: wait for its end, or name another folder with --to"
    with open_output(tmp_path, ABOUT, resume=False) as output:
        output.add(SOME[:1])
        with pytest.raises(UserError, match=expected):
            check_output(tmp_path, resume)
        refuses(tmp_path, expected, resume)
        output.add(SOME[1:])
        output.end(CLASSES)
    check_whole(tmp_path)


def test_later_answer_of_a_file_counts(tmp_path: Path) -> None:
    interrupted(tmp_path, SOME)
    now = answered("1.png", 0.1, "routine", sha256="12" * 32)
    with open_output(tmp_path, ABOUT, resume=True) as output:
        output.add([now])
        assert len(list(output.given())) == len(SOME) + 1
        output.end(CLASSES)
    assert lines_in(tmp_path) == [answer.to_json() for answer in [*SOME[1:], now]]
    assert read_csv(tmp_path / "predictions.csv")["sha256"].tolist() == [answer.sha256 for answer in [*SOME[1:], now]]


def test_batch_is_resumed_after_a_full_disk(tmp_path: Path) -> None:
    interrupted(tmp_path, SOME[:2])
    size = (tmp_path / "predictions.part.jsonl").stat().st_size
    with (
        full_disk(size + 100),
        pytest.raises(UserError, match=r"predictions.part.jsonl can't be written: File too large: .* resume with --resume$"),
        open_output(tmp_path, ABOUT, resume=True) as output,
    ):
        output.add(SOME[2:])
    with full_disk(10):
        refuses(tmp_path, "can't be written: File too large", resume=True)
    with open_output(tmp_path, ABOUT, resume=True) as output:
        assert [answer.path for answer in output.given()] == ["1.png", "=cmd.png"]
        output.add(SOME[2:])
        with full_disk(size), pytest.raises(UserError, match=r"can't be written: File too large: .* resume with --resume$"):
            output.end(CLASSES)
    with open_output(tmp_path, ABOUT, resume=True) as output:
        output.end(CLASSES)
    check_whole(tmp_path)


@pytest.mark.parametrize("renames", range(3))
def test_batch_that_was_cut_off_while_it_ended_can_be_ended(tmp_path: Path, renames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(tmp_path, SOME)
    replace, left = Path.replace, iter(range(renames + 1))  # one more is that of `open_output`

    def cut_off(self: Path, target: Path) -> Path:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", cut_off)
    with pytest.raises(KeyboardInterrupt), open_output(tmp_path, ABOUT, resume=True) as output:
        output.end(CLASSES)
    monkeypatch.undo()
    with open_output(tmp_path, ABOUT, resume=True) as output:
        output.end(CLASSES)
    check_whole(tmp_path)


def test_batch_of_another_model_is_not_resumed(tmp_path: Path) -> None:
    interrupted(tmp_path, SOME)
    refuses(tmp_path, "was begun with another point", resume=True, about={**ABOUT, "point": "sensitivity"})


def test_line_that_is_nested_too_deep_is_no_answer(tmp_path: Path) -> None:
    interrupted(tmp_path, SOME[:1])
    (tmp_path / "predictions.part.jsonl").write_text("[" * 100_000 + "\n")
    with open_output(tmp_path, ABOUT, resume=True) as output, pytest.raises(UserError, match="holds a line that is no answer"):
        list(output.answers())


def test_ended_batch_is_replaced_when_the_next_has_ended(tmp_path: Path) -> None:
    for point, some, before in (("argmax", SOME, None), ("cost", SOME[:1], len(SOME))):
        with open_output(tmp_path, {**ABOUT, "point": point}, resume=False) as output:
            output.add(some)
            assert before is None or len(read_csv(tmp_path / "predictions.csv")) == before
            output.end(CLASSES)
        assert len(read_csv(tmp_path / "predictions.csv")) == len(some)
        assert json.loads((tmp_path / "predictions.json").read_text())["point"] == point
    assert len(visible(tmp_path)) == 3


def test_table_of_many_rows_has_one_heading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxr.predict.output._ROWS_AT_ONCE", 3)
    with open_output(tmp_path, ABOUT, resume=False) as output:
        output.add([answered(f"{row}.png") for row in range(7)])
        output.end(CLASSES)
    assert read_csv(tmp_path / "predictions.csv")["path"].tolist() == [f"{row}.png" for row in range(7)]


def test_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    refuses(tmp_path / "file/out", "file/out can't be written: Not a directory", resume=False)


def test_answers_of_earlier_batches_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folders_of_batches() == [Path("predictions")]
    with open_output(Path("predictions"), {}, resume=False) as output:
        assert folders_of_batches() == [Path("predictions")]  # interrupted, it would be resumed
        output.end(())
    assert folders_of_batches() == [Path("predictions"), Path("predictions-2")]
