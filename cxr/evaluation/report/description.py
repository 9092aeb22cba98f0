"""The description of a run, in Markdown: the first text on MLflow's page of the run."""

from cxr.evaluation.report.card import INTENDED
from cxr.evaluation.report.document import Document
from cxr.evaluation.report.first_screen import first_screen
from cxr.evaluation.report.markdown import plain


def description(document: Document) -> str:
    """The numbers of the report's first screen, its verdicts, and where the report is."""
    screen = first_screen(document)
    numbers = [f"- {plain(tile.text)}: **{plain(tile.estimate.in_sentence)}**" for tile in screen.tiles]
    return "\n".join(
        [
            f"**{INTENDED}**",
            "",
            plain(" ".join([screen.model, *screen.images])),
            "",
            *numbers,
            "",
            plain(" ".join([screen.triage, *screen.against])),
            "",
            "What to distrust:",
            "",
            *(f"- {plain(reason)}" for reason in screen.distrust),
            "",
            "The whole report: `report.html` among the artifacts.",
        ]
    )
