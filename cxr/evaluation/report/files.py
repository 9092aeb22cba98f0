"""The files of a report, as a run logs them."""

import json
from collections.abc import Sequence
from pathlib import Path

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.decisions import FILE as DECISIONS
from cxr.evaluation.decisions import decisions_of, write_decisions
from cxr.evaluation.figures.drawing import Picture
from cxr.evaluation.report import card, checklist
from cxr.evaluation.report.document import VERSION, Caption, Document, ImageCaption, ReportContext, schema, to_json
from cxr.evaluation.report.page import page
from cxr.evaluation.saliency import Saliency

FIGURES = "evaluation"  # the folder of the PNGs
DOCUMENT = "report.json"


def write_report(
    folder: Path, context: ReportContext, assessment: Assessment, saliency: Saliency | None, pictures: Sequence[Picture]
) -> Document:
    """Write report.html, report.json and its schema, model_card.md, checklists.md, model/decisions.json and the figures.

    Figures are evaluation/NAME.png, with evaluation/NAME.svg of a chart, and evaluation/films/NAME-01.jpg of images.
    """
    document = Document(VERSION, context, assessment, saliency, [_written(folder, picture) for picture in pictures])
    files = {
        "report.html": page(document, pictures),
        DOCUMENT: to_json(document),
        "report.schema.json": json.dumps(schema(), indent=1) + "\n",
        "model_card.md": card.as_markdown(context.title, card.model_card(document)),
        "checklists.md": checklist.as_markdown(checklist.checklists(document)),
    }
    write_decisions(decisions_of(assessment), folder / DECISIONS)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return document


def _written(folder: Path, picture: Picture) -> Caption:
    """Write the files of a figure; returns its caption, with the names of its images."""
    (folder / FIGURES / "films").mkdir(parents=True, exist_ok=True)
    (folder / FIGURES / f"{picture.name}.png").write_bytes(picture.png)
    if picture.svg:
        (folder / FIGURES / f"{picture.name}.svg").write_bytes(picture.svg)
    films = []
    for number, film in enumerate(picture.films, 1):
        films.append(ImageCaption(f"films/{picture.name}-{number:02d}.jpg", film.caption, film.alt))
        (folder / FIGURES / films[-1].file).write_bytes(film.jpeg)
    return Caption(picture.name, picture.section, picture.caption, picture.alt, films)
