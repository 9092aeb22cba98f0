"""The description of a run, and the model card: the model, its use, performance and limits (after Mitchell et al. 2019)."""

from cxr.evaluation.figures.decisions import RULES
from cxr.evaluation.report.checklist import OPEN, answers
from cxr.evaluation.report.document import Document
from cxr.evaluation.report.first_screen import first_screen
from cxr.evaluation.report.rendering import plain

INTENDED = "For research only. Not a medical device: not for diagnosis, and not for decisions on patients."


def model_card(document: Document) -> dict[str, list[str]]:
    """The lines of each section, by its heading, in order."""
    context, assessment, known = document.context, document.assessment, answers(document)
    rights = known["licence"] or f"Citation and licence of the images: {OPEN}"
    points = [f"{RULES[point.rule.name]}: {point.rule.in_words}. {point.verdict}" for point in assessment.operating_points]
    run = f"Run {context.name} ({context.run_id})."
    return {
        "Model": [known["model"], known["weights"], run, known["code"], known["software"]],
        "Intended use": [INTENDED, f"Clinical setting and users: {OPEN}"],
        "Input and output": [known["preprocessing"], known["thresholds"], known["temperature"]],
        "Training data": [known["data"], rights, *(known[name] for name in ("flow", "left_out", "split", "groups", "training"))],
        "Evaluation data": [text for text in (known["internal"], known["external"]) if text],
        "Performance": [text for text in (known["headline"], known["diagnostic"], known["subgroups"]) if text],
        "Operating points": points or [f"None: {assessment.no_positive_class}."],
        "Shortcut audit": [context.audit.verdict if context.audit else "None was made."],
        "What to distrust": [*context.caveats, *assessment.notes] or [known["caveats"]],
        "Ethics, licence, contact": [OPEN],
    }


def as_markdown(title: str, sections: dict[str, list[str]]) -> str:
    """The sections as the text of a file next to the model."""
    parts = [f"# Model card: {plain(title)}"]
    for heading, lines in sections.items():
        parts += ["", f"## {heading}", "", *(f"- {plain(line)}" for line in lines)]
    return "\n".join(parts) + "\n"


def description(document: Document) -> str:
    """The Markdown on MLflow's page of a run: numbers of the first screen, verdicts, and where the report is."""
    screen = first_screen(document)
    numbers = [f"- {plain(tile.text)}: **{plain(tile.estimate.text_or_reason)}**" for tile in screen.tiles]
    paragraphs = [
        f"**{INTENDED}**",
        plain(" ".join([screen.model, *screen.images])),
        "\n".join(numbers),
        plain(" ".join([screen.triage, *screen.against])),
        "What to distrust:",
        "\n".join(f"- {plain(reason)}" for reason in screen.distrust),
        "The whole report: `report.html` among the artifacts.",
    ]
    return "\n\n".join(paragraphs)
