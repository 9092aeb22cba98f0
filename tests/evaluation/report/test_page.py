"""report.html: self-contained, consistent with the numbers, with escaped names, and without the word cleared."""

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest

from cxr.evaluation.figures.drawing import Picture
from cxr.evaluation.report.card import as_markdown, model_card
from cxr.evaluation.report.checklist import as_markdown as lists_as_markdown
from cxr.evaluation.report.checklist import checklists
from cxr.evaluation.report.document import Overlap
from cxr.evaluation.report.files import write_report
from cxr.evaluation.report.page import classification_text, page
from cxr.progress import wide_console
from tests.evaluation.documents import DATA, document, pictured
from tests.evaluation.made import made, skilled

REPORT = Path(__file__).parents[3] / "cxr/evaluation/report"


@pytest.fixture(scope="module")
def whole() -> str:
    shown = skilled(1)
    told = document(shown)
    return page(told, pictured(shown, told.assessment))


def test_it_opens_offline_and_every_figure_says_what_it_shows(whole: str) -> None:
    assert not re.search(r'(src|href)="(?!data:|#)', whole)
    assert "<script" not in whole
    pictures = re.findall(r'<img src="data:image/png;base64,[^"]+" alt="([^"]*)"', whole)
    assert len(pictures) == whole.count("<img") == 10
    assert all(len(alt) > 40 for alt in pictures)
    assert all(f'id="{target}"' in whole for target in re.findall(r'href="#(\w+)"', whole))


def test_the_first_screen_has_the_numbers_of_the_assessment(whole: str) -> None:
    found = document(skilled(1)).assessment
    top = whole[: whole.index("<nav>")]
    for name in ("accuracy", "auc_macro_ovr", "covid/sensitivity", "covid/specificity"):
        each = found.estimates[name]
        assert f"<b>{each.value:.3f}</b>" in top
        assert f"95 % interval {each.low:.3f} to {each.high:.3f}" in top
    for part in ("Evaluated on 300 images of the test part", "What to distrust", "Fake.", "No baseline.", "Not a medical device"):
        assert part in top
    assert found.operating_points[1].verdict.split(":")[0] in whole


def test_names_from_strangers_are_text() -> None:
    shown = skilled(1, classes=("COVID", "Normal", "<script>alert(1)</script>"))
    told = page(document(shown), [Picture("roc_curves", "classes", b"png", "<i>", '"><b>')])
    assert "<script" not in told
    assert "cxr run &lt;b&gt;a run" in told
    assert "&lt;i&gt;" in told


def test_a_model_that_is_right_once_and_a_class_that_never_occurs_make_a_page() -> None:
    one = made(skilled(1).labels[:1], skilled(1).probabilities[:1])
    text = page(document(one), [])
    assert "no image is of this class" in text
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).lower().split()


def test_other_data_is_told_with_its_overlap() -> None:
    told = document(skilled(1), overlap=Overlap(100, 7, 3), other_data=replace(DATA, summary="90 images of data=folder"))
    text = page(told, [])
    assert "Of 100 images of the other data, 7 have the same pixels as an image of the run, and 3 more are near copies" in text
    assert "Trained on 300 images. Other data: 90 images of data=folder." in text
    card = {section.heading: " ".join(section.lines) for section in model_card(told)}
    assert "300 images" in card["Training data"]
    assert "90 images" not in card["Training data"]
    assert card["Evaluation data"].startswith("90 images of data=folder.")
    (claim, _) = checklists(told)
    assert "32" in claim.left_open  # its own images do not judge here


def test_routine_priority_is_never_called_cleared_and_research_use_is_said_twice(whole: str) -> None:
    sources = "".join(path.read_text() for path in REPORT.iterdir() if path.is_file())
    assert "cleared" not in (sources + whole).lower()
    assert "ROUTINE</strong> priority" in whole
    assert whole.count("Not a medical device") >= 3  # at the top, at triage, in the model card


def test_all_files_are_written_and_the_model_card_and_checklists_agree_with_the_page(tmp_path: Path) -> None:
    shown = skilled(1)
    told = document(shown)
    written = write_report(tmp_path, told.context, told.assessment, told.saliency, pictured(shown, told.assessment)[:2])
    assert {path.name for path in tmp_path.iterdir()} == {
        *("report.html", "report.json", "report.schema.json", "model_card.md", "checklists.md", "evaluation", "model")
    }
    assert [each.name for each in written.figures] == ["confusion_matrix", "sensitivity_specificity"]
    assert (tmp_path / "evaluation/confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
    card = (tmp_path / "model_card.md").read_text()
    assert f"Accuracy {told.assessment.estimates['accuracy'].in_words}" in card
    assert "What to distrust\n\n- Fake." in card
    decisions = json.loads((tmp_path / "model/decisions.json").read_text())
    assert decisions["temperature"] == told.assessment.temperature.value


def test_the_classification_report_has_every_class() -> None:
    text = classification_text(skilled(1, 5, classes=("COVID", "Normal", "never seen")))
    assert "never seen" in text
    assert "macro avg" in text


def test_names_of_strangers_are_text_on_every_page() -> None:
    """Of HTML, of Markdown, and of the terminal's own markup."""
    name = "<img src=x onerror=alert(1)> [a](b) `c` | [/red]"
    told = document(skilled(1))
    odd = replace(told, context=replace(told.context, name=name, title=f"cxr run {name}", caveats=[name]))
    for text in (page(odd, []), as_markdown(odd.context.title, model_card(odd)), lists_as_markdown(checklists(odd))):
        assert "<img src=x" not in text
        assert "&lt;img src=x" in text
    card = as_markdown(odd.context.title, model_card(odd))
    assert "[a](b)" not in card
    assert "\\[a\\](b)" in card
    out = StringIO()
    console = wide_console()
    console.file = out
    console.print(name)
    assert "[/red]" in out.getvalue()
