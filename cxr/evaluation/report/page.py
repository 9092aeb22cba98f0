"""report.html: one page that works offline and prints. Its first screen holds what a reader has to know."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from sklearn.metrics import classification_report

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.figures.decisions import RULES, ZONE_NAMES
from cxr.evaluation.figures.drawing import Picture
from cxr.evaluation.metric_table import BY_CLASS, OVERALL, by_class, overall
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.card import INTENDED, model_card
from cxr.evaluation.report.checklist import checklists
from cxr.evaluation.report.document import Document
from cxr.text import part_in_full, slug


@dataclass(frozen=True)
class Tile:
    """One number of the first screen."""

    text: str
    estimate: Estimate
    against: str  # the difference from the baseline, in words; empty without a baseline


def page(document: Document, pictures: Sequence[Picture]) -> str:
    """The whole page, with every figure in it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    found = document.assessment
    return environment.get_template("report.html.jinja").render(
        context=document.context,
        found=found,
        saliency=document.saliency,
        part=part_in_full(found.part),
        tiles=tiles(document),
        overall=OVERALL,
        by_class=BY_CLASS,
        slug=slug,
        rules=RULES,
        zones=ZONE_NAMES,
        lacking=lacking(found),
        costs=costs_in_words(found.costs, found.classes),
        pictures=pictures,
        base64={each.name: base64.b64encode(each.png).decode() for each in pictures},
        card=model_card(document),
        checklists=checklists(document),
        intended=INTENDED,
    )


def tiles(document: Document) -> list[Tile]:
    """Accuracy, macro AUC, and sensitivity and specificity of the positive class, each with its difference from the baseline."""
    found = document.assessment
    differences = {each.metric: each for each in document.context.differences}
    wanted = {metric.name: metric.title for metric in overall("headline")}
    if found.triage:
        positive = found.triage.positive_class
        wanted |= {f"{slug(positive)}/{metric.name}": f"{positive} {metric.label}" for metric in by_class("headline")}
    else:
        wanted |= {metric.name: metric.title for metric in overall("summary")}
    made = []
    for name, text in wanted.items():
        each = differences.get(name)
        against = f"{each.difference:+.3f} ({each.low:+.3f} to {each.high:+.3f}) against baseline" if each else ""
        made.append(Tile(text, found.estimates[name], against))
    return made


def lacking(found: Assessment) -> dict[str, str]:
    """Numbers without a value or an interval, and why."""
    return {name: each.why_not for name, each in found.estimates.items() if each.why_not}


def costs_in_words(costs: Sequence[Sequence[float]], classes: Sequence[str]) -> str:
    """The costs of errors that are not 1.

    >>> costs_in_words([[0, 10, 10], [1, 0, 2], [1, 1, 0]], ["COVID", "Normal", "Viral"])
    'Costs of errors: COVID called another class 10, Normal called Viral 2, any other 1.'
    """
    told = []
    for true, row in enumerate(costs):
        others = {index: cost for index, cost in enumerate(row) if index != true}
        if len(others) > 1 and len(set(others.values())) == 1 and set(others.values()) != {1}:
            told.append(f"{classes[true]} called another class {next(iter(others.values())):g}")
        else:
            told += [f"{classes[true]} called {classes[index]} {cost:g}" for index, cost in others.items() if cost != 1]
    return f"Costs of errors: {', '.join([*told, 'any other 1' if told else 'all 1'])}."


def classification_text(predictions: Predictions) -> str:
    """scikit-learn's report: precision (PPV), recall (sensitivity), F1 and number of images by class, and their averages."""
    return str(
        classification_report(
            predictions.labels,
            predictions.predicted,
            labels=np.arange(len(predictions.classes)),
            target_names=list(predictions.classes),
            digits=4,
            zero_division=0,
        )
    )
