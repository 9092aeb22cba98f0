"""The files of a report, as a run logs them."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.figures.drawing import Picture
from cxr.evaluation.report import card, checklist
from cxr.evaluation.report.document import VERSION, Caption, Document, ReportContext, schema, to_json
from cxr.evaluation.report.page import page
from cxr.evaluation.saliency import Saliency

FIGURES = "evaluation"  # the folder of the PNGs
DOCUMENT = "report.json"


def write_report(
    folder: Path, context: ReportContext, found: Assessment, saliency: Saliency | None, pictures: Sequence[Picture]
) -> Document:
    """Write report.html, report.json and its schema, model_card.md, checklists.md, model/decisions.json, evaluation/NAME.png."""
    document = Document(
        VERSION, context, found, saliency, [Caption(each.name, each.section, each.caption, each.alt) for each in pictures]
    )
    (folder / FIGURES).mkdir(parents=True, exist_ok=True)
    for each in pictures:
        (folder / FIGURES / f"{each.name}.png").write_bytes(each.png)
    files = {
        "report.html": page(document, pictures),
        DOCUMENT: to_json(document),
        "report.schema.json": json.dumps(schema(), indent=1) + "\n",
        "model_card.md": card.as_markdown(context.title, card.model_card(document)),
        "checklists.md": checklist.as_markdown(checklist.checklists(document)),
    }
    write_decisions(folder, found)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return document


def write_decisions(folder: Path, found: Assessment) -> None:
    """Write model/decisions.json, which a user of the model needs: classes, temperature, rules, thresholds."""
    said = {
        "classes": found.classes,
        "temperature": found.temperature.value,
        "rules": [asdict(point.rule) for point in found.operating_points],
        "conformal": {"alpha": found.conformal.alpha, "least_probability": found.conformal.thresholds},
        "chosen_on": f"{found.validation_images} validation images",
    }
    (folder / "model").mkdir(parents=True, exist_ok=True)
    (folder / "model/decisions.json").write_text(json.dumps(said, indent=2, allow_nan=False) + "\n", encoding="utf-8")
