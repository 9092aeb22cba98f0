"""The files of a batch: whole or resumable, and read back as they were written."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxr.errors import UserError
from cxr.predict.answer import Answer, row_of
from cxr.predict.output import Output
from cxr.safe_csv import read_csv
from tests.predict.made import CLASSES, answered, refused, unread

ABOUT = {"model": "a", "point": "argmax"}
SOME = [answered("1.png"), refused("=cmd.png"), unread("new\nline.png"), answered("lone \udcff.png", 0.2, "review")]


@given(st.text(), st.floats(0, 1), st.sampled_from(["", "fast_track", "review", "routine"]))
def test_an_answer_is_the_same_after_json(path: str, p: float, zone: str) -> None:
    said = answered(path, p, zone)
    again = Answer.from_json(json.loads(json.dumps(said.to_json())))
    assert again.to_json() == said.to_json()


def test_every_answer_has_the_same_columns() -> None:
    assert len({tuple(row_of(each, CLASSES)) for each in SOME}) == 1


def test_a_batch_ends_with_lines_a_table_and_what_they_are_about(tmp_path: Path) -> None:
    output = Output.begin(tmp_path / "out", ABOUT, resume=False)
    output.add(SOME[:2])
    output.add(SOME[2:])
    output.end(CLASSES)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "predictions.csv",
        "predictions.json",
        "predictions.jsonl",
    ]
    table = read_csv(tmp_path / "out/predictions.csv")
    assert table["path"].tolist() == ["1.png", "=cmd.png", "new\nline.png", "lone \\udcff.png"]
    assert "\n'=cmd.png" in (tmp_path / "out/predictions.csv").read_text()  # a spreadsheet runs nothing
    assert table["class"].tolist() == ["COVID", "", "", "Normal"]
    assert float(table["p_covid"][3]) == 0.2
    assert pd.read_csv(tmp_path / "out/predictions.csv")["p_covid"].isna().tolist() == [False, False, True, False]
    assert [answer.to_json() for answer in output.read()] == [answer.to_json() for answer in SOME]
    assert ABOUT.items() <= json.loads((tmp_path / "out/predictions.json").read_text()).items()


def test_an_interrupted_batch_goes_on_after_its_last_whole_line(tmp_path: Path) -> None:
    Output.begin(tmp_path, ABOUT, resume=False).add(SOME[:3])
    growing = tmp_path / "predictions.part.jsonl"
    growing.write_bytes(growing.read_bytes()[:-9])
    with pytest.raises(UserError, match="holds an interrupted batch: go on with --resume"):
        Output.begin(tmp_path, ABOUT, resume=False)
    again = Output.begin(tmp_path, ABOUT, resume=True)
    assert again.answered() == {"1.png", "=cmd.png"}
    again.add(SOME[2:])
    again.end(CLASSES)
    assert len(read_csv(tmp_path / "predictions.csv")) == 4


def test_a_line_that_is_nested_too_deep_is_no_answer(tmp_path: Path) -> None:
    output = Output.begin(tmp_path, ABOUT, resume=False)
    (tmp_path / "predictions.part.jsonl").write_text("[" * 100_000 + "\n")
    with pytest.raises(UserError, match="holds a line that is no answer"):
        list(output.answers())


def test_a_batch_of_another_model_is_not_gone_on_with(tmp_path: Path) -> None:
    Output.begin(tmp_path, ABOUT, resume=False).add(SOME)
    with pytest.raises(UserError, match="was begun with another point"):
        Output.begin(tmp_path, {**ABOUT, "point": "sensitivity"}, resume=True)


def test_a_batch_that_has_ended_is_replaced_by_the_next_when_that_has_ended(tmp_path: Path) -> None:
    for point, some, before in (("argmax", SOME, None), ("cost", SOME[:1], len(SOME))):
        output = Output.begin(tmp_path, {**ABOUT, "point": point}, resume=False)
        output.add(some)
        assert before is None or len(read_csv(tmp_path / "predictions.csv")) == before
        output.end(CLASSES)
        assert len(read_csv(tmp_path / "predictions.csv")) == len(some)
        assert json.loads((tmp_path / "predictions.json").read_text())["point"] == point
    assert len(list(tmp_path.iterdir())) == 3


def test_a_table_of_many_rows_has_one_heading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxr.predict.output._ROWS_AT_ONCE", 3)
    output = Output.begin(tmp_path, ABOUT, resume=False)
    output.add([answered(f"{row}.png") for row in range(7)])
    output.end(CLASSES)
    assert read_csv(tmp_path / "predictions.csv")["path"].tolist() == [f"{row}.png" for row in range(7)]


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/out can't be written: Not a directory"):
        Output.begin(tmp_path / "file/out", ABOUT, resume=False)
