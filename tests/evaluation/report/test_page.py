"""report.html: self-contained, consistent with the numbers, with escaped names, and without the word cleared."""

import json
import re
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from cxr.evaluation.figures.drawing import Drawn, FigureImage, Picture, pictures_of
from cxr.evaluation.light import Light
from cxr.evaluation.report.card import as_markdown, model_card
from cxr.evaluation.report.checklist import as_markdown as lists_as_markdown
from cxr.evaluation.report.checklist import checklists
from cxr.evaluation.report.document import AuditSection, Document, Overlap
from cxr.evaluation.report.files import write_report
from cxr.evaluation.report.page import classification_text, page
from cxr.progress import wide_console
from tests.evaluation.documents import DATA, compared, document, elsewhere_of, pictured
from tests.evaluation.made import made, skilled

REPORT = Path(__file__).parents[3] / "cxr/evaluation/report"


@pytest.fixture(scope="module")
def report() -> Document:
    return document(skilled(1))


@pytest.fixture(scope="module")
def whole(report: Document) -> str:
    return page(report, pictured(skilled(1), report.assessment))


def test_page_works_offline_and_figures_have_alternative_texts(whole: str) -> None:
    assert not re.search(r'(src|href)="(?!data:|#)', whole)
    assert "<script" not in whole
    pictures = re.findall(r'<img src="data:image/svg\+xml;base64,[^"]+" alt="([^"]*)"', whole)
    assert len(pictures) == whole.count("<img") == 10
    assert all(len(alt) > 40 for alt in pictures)
    assert all(f'id="{target}"' in whole for target in re.findall(r'href="#(\w+)"', whole))


def test_single_image_makes_a_page() -> None:
    one = made(skilled(1).labels[:1], skilled(1).probabilities[:1])
    text = page(document(one), [])
    assert "no image is of this class" in text
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).lower().split()


def test_demonstrated_target_is_shown_also_where_it_is_optimistic(report: Document) -> None:
    point = next(point for point in report.assessment.operating_points if point.rule.name == "specificity_target")
    verdict = "Optimistic, since these images chose it. Target demonstrated: here."
    shown = replace(point, rule=replace(point.rule, target=0.5), verdict=verdict)
    missed = replace(point, rule=replace(point.rule, target=1.0), verdict=verdict)
    for outcome, count in ((shown, 1), (missed, 0)):
        assessment = replace(report.assessment, operating_points=[outcome])
        section = page(replace(report, assessment=assessment), []).partition('id="points"')[2].partition('id="triage"')[0]
        assert section.count(verdict) == count


def test_other_data_is_described_with_its_overlap() -> None:
    report = document(skilled(1), overlap=Overlap(100, 7, 3), other_data=replace(DATA, summary="90 images of data=folder"))
    text = page(report, [])
    assert "Of 100 images of the other data, 7 have the same pixels as an image of the run, and 3 more are near copies" in text
    assert "evaluated on other data: 300 images" in text
    card = {heading: " ".join(lines) for heading, lines in model_card(report).items()}
    assert "300 images" in card["Training data"]
    assert "90 images" not in card["Training data"]
    assert card["Evaluation data"].startswith("90 images of data=folder.")
    (claim, _) = checklists(report)
    assert "32" in claim.numbers("open")  # its own images are not evaluated here


@pytest.mark.parametrize("light", list(Light))
def test_light_of_an_audit_is_on_the_first_screen_and_in_the_card(light: Light, report: Document) -> None:
    section = AuditSection(light, f"{light.label.capitalize()}: why.", "", "", [], [], [])
    audited = replace(report, context=replace(report.context, audit=section))
    assert re.findall(r'class="audit (\w+)"', page(audited, [])) == [light.value]
    assert model_card(audited)["Shortcut audit"] == [section.verdict]
    assert model_card(report)["Shortcut audit"] == ["None was made."]


def test_routine_is_never_called_cleared_and_research_use_is_repeated(whole: str) -> None:
    sources = "".join(path.read_text() for path in REPORT.iterdir() if path.is_file())
    assert "cleared" not in (sources + whole).lower()
    assert "routine priority only delays it" in whole
    assert whole.count("Not a medical device") >= 2  # at the top and in the model card
    assert len(re.findall("(?i)research use only|research only", whole)) >= 4  # at triage and on each printed page too


def test_page_is_short_before_anything_is_unfolded() -> None:
    """Of three classes with subgroups, a baseline, other data and films: 2,000 words at most."""
    shown = skilled(1, skill=0.8)
    away = elsewhere_of(document(shown).assessment)
    report = document(shown, differences=compared(shown), baseline="base (12345678)", other_data=DATA, elsewhere=away)
    film = FigureImage(np.zeros((8, 8, 3), np.uint8), "COVID, taken for Normal (0.53): image-12.png", "a film")
    drawn = Drawn("grad_cam", "saliency", Figure(), "Thirty films of chests", "Thirty films", [film] * 30)
    text = page(report, [*pictured(shown, report.assessment), *pictures_of([drawn], 50)])
    outside = re.sub(r"<details>.*?</details>|<style>.*?</style>|<title>.*?</title>", " ", text, flags=re.S)
    assert 1000 < len(re.sub(r"<[^>]*>", " ", outside).split()) <= 2000


def test_images_of_a_figure_are_shown_one_by_one_and_enlarge_without_a_script(report: Document) -> None:
    film = FigureImage(np.zeros((8, 8, 3), np.uint8), "COVID, right (0.9)", "a chest")
    (picture,) = pictures_of([Drawn("grad_cam", "saliency", Figure(), "Films of chests", "Films", [film, film])], 50)
    text = page(report, [picture])
    assert text.count('<figure tabindex="0"><img src="data:image/jpeg;base64,') == 2
    assert "figure:focus" in text


def test_printed_pages_have_the_run_and_their_number(whole: str) -> None:
    assert 'content: "a run (1234abcd), 2026-11-25. Research use only."' in whole
    assert 'counter(page) " of " counter(pages)' in whole


def test_files_are_written_and_agree_with_the_numbers(tmp_path: Path, report: Document) -> None:
    pictures = pictured(skilled(1), report.assessment)[:2]
    written = write_report(tmp_path, report.context, report.assessment, report.saliency, pictures)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("report.html", "report.json", "report.schema.json", "model_card.md", "checklists.md", "evaluation", "model")
    }
    assert [caption.name for caption in written.figures] == ["confusion_matrix", "sensitivity_specificity"]
    assert (tmp_path / "evaluation/confusion_matrix.png").read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (tmp_path / "evaluation/confusion_matrix.svg").read_bytes()
    card = (tmp_path / "model_card.md").read_text()
    assert f"Accuracy {report.assessment.estimates['accuracy'].text}" in card
    assert "What to distrust\n\n- Fake." in card
    decisions = json.loads((tmp_path / "model/decisions.json").read_text())
    assert decisions["temperature"] == report.assessment.temperature.value


def test_classification_report_has_every_class() -> None:
    text = classification_text(skilled(1, 5, classes=("COVID", "Normal", "never seen")))
    assert "never seen" in text
    assert "macro avg" in text


def test_names_are_escaped_in_html_markdown_and_terminal() -> None:
    name = "<img src=x onerror=alert(1)> [a](b) `c` | [/red]"
    report = document(skilled(1, classes=("COVID", "Normal", "<script>alert(1)</script>")))
    odd = replace(report, context=replace(report.context, name=name, title=f"cxr run {name}", caveats=[name]))
    html = page(odd, [Picture("roc_curves", "classes", b"png", "<i>", '"><b>')])
    assert "<script" not in html
    assert "&lt;i&gt;" in html
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
