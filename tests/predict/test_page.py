"""The page of answers: most urgent first, whatever files are called."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cxr.predict import page
from cxr.predict.answer import Answer
from cxr.predict.page import write_page
from cxr.predict.read import read_images
from tests.predict.made import answered, refused, unread

ABOUT: dict[str, Any] = {
    "model": {
        **{"run": {"id": "1", "name": "<b>run"}, "classes": ["COVID", "Normal"], "temperature": 1.5, "model_sha256": "ab"},
        **{"cxr": "0.2", "conformal_alpha": 0.05, "unchecked": []},
    },
    "point": {"name": "argmax", "in_words": "the most probable class"},
    "engine": "tensorflow 2",
}
MIXED = [
    answered("routine.png", 0.01, "routine"),
    answered("review-low.png", 0.3, "review"),
    unread("text.txt"),
    answered("first.png", 0.99),
    answered("review-high.png", 0.4, "review"),
    refused("odd.png"),
]


def written(folder: Path, answers: list[Answer], positive: str | None = "COVID") -> str:
    write_page(folder / "page.html", answers, len(answers), ABOUT, positive)
    return (folder / "page.html").read_text()


def names(text: str) -> list[str]:
    return re.findall(r'<td class="path">(.*?)<small>', text)


def test_most_urgent_answers_come_first(tmp_path: Path) -> None:
    expected = ["first.png", "odd.png", "text.txt", "review-high.png", "review-low.png", "routine.png"]
    assert names(written(tmp_path, MIXED)) == expected


def test_model_without_checks_is_described(tmp_path: Path) -> None:
    assert "It does not notice" not in written(tmp_path, MIXED)
    model = {**ABOUT["model"], "unchecked": ["images unlike those that it knows", "films that are turned or negatives"]}
    write_page(tmp_path / "page.html", MIXED, len(MIXED), {**ABOUT, "model": model}, "COVID")
    note = "It does not notice images unlike those that it knows, films that are turned or negatives"
    assert note in (tmp_path / "page.html").read_text()


def test_names_are_escaped(tmp_path: Path) -> None:
    text = written(tmp_path, [answered('<script>alert(1)</script>".png')])
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "&lt;b&gt;run" in text


def test_thumbnail_is_left_out_where_the_file_has_changed(tmp_path: Path) -> None:
    file = tmp_path / "film.png"
    Image.fromarray(np.full((96, 96), 200, np.uint8)).save(file)
    (read,) = read_images([str(file)], 32)[1]
    answer = answered(str(file), sha256=read.sha256)
    assert "data:image/jpeg;base64," in written(tmp_path, [answer])
    Image.fromarray(np.full((96, 96), 10, np.uint8)).save(file)
    assert "data:image/jpeg;base64," not in written(tmp_path, [answer])


def test_page_shows_the_most_urgent_of_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "MOST", 2)
    text = written(tmp_path, MIXED)
    assert names(text) == ["first.png", "odd.png"]
    assert "6 files, of which the 2 most urgent are shown" in text
