"""The model card: the model, its intended use, its performance and its limits (after Mitchell et al. 2019)."""

from dataclasses import dataclass

from cxr.evaluation.figures.decisions import RULES
from cxr.evaluation.report.checklist import OPEN, answers
from cxr.evaluation.report.document import Document
from cxr.evaluation.report.markdown import plain

INTENDED = "For research only. Not a medical device: not for diagnosis, and not for decisions on patients."


@dataclass(frozen=True)
class Section:
    """A heading and its lines."""

    heading: str
    lines: list[str]


def model_card(document: Document) -> list[Section]:
    """The sections, in order."""
    context, found, said = document.context, document.assessment, answers(document)
    rights = said["licence"] or f"Citation and licence of the images: {OPEN}"
    points = [f"{RULES[each.rule.name]}: {each.rule.in_words}. {each.verdict}" for each in found.operating_points]
    return [
        Section(
            "Model", [said["model"], said["weights"], f"Run {context.name} ({context.run_id}).", said["code"], said["software"]]
        ),
        Section("Intended use", [INTENDED, f"Clinical setting and users: {OPEN}"]),
        Section("Input and output", [said["preprocessing"], said["thresholds"], said["temperature"]]),
        Section(
            "Training data",
            [
                said["data"],
                rights,
                said["flow"],
                said["left_out"],
                said["split"],
                said["groups"],
                said["training"],
            ],
        ),
        Section("Evaluation data", [each for each in (said["internal"], said["external"]) if each]),
        Section("Performance", [each for each in (said["headline"], said["diagnostic"], said["subgroups"]) if each]),
        Section("Operating points", points or [f"None: {found.no_positive_class}."]),
        Section("Shortcut audit", [context.audit.verdict if context.audit else "None was made."]),
        Section("What to distrust", [*context.caveats, *found.notes] or [said["caveats"]]),
        Section("Ethics, licence, contact", [OPEN]),
    ]


def as_markdown(title: str, sections: list[Section]) -> str:
    """For a file beside the model."""
    parts = [f"# Model card: {plain(title)}"]
    for section in sections:
        parts += ["", f"## {section.heading}", "", *(f"- {plain(line)}" for line in section.lines)]
    return "\n".join(parts) + "\n"
