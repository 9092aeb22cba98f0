"""report.html: one page that works offline and prints. Its first screen holds what a reader has to know."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.metrics import classification_report

from cxr.data.images.properties import PROPERTIES
from cxr.evaluation.assessment import Assessment
from cxr.evaluation.estimates import PERCENT, no_image_of
from cxr.evaluation.figures.decisions import RULES, ZONE_NAMES
from cxr.evaluation.figures.drawing import Picture
from cxr.evaluation.metric_table import AUC_NOT_NORMAL, BY_CLASS, OVERALL
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.card import INTENDED, model_card
from cxr.evaluation.report.checklist import STATES, checklists, describe_gaps
from cxr.evaluation.report.document import Document
from cxr.evaluation.report.first_screen import first_screen
from cxr.evaluation.report.rendering import data_uri, render
from cxr.evaluation.saliency import REGION_DESCRIPTIONS
from cxr.evaluation.subgroups import gap_rule
from cxr.evaluation.triage import PATIENTS
from cxr.text import part_in_full, slug


def page(document: Document, pictures: Sequence[Picture]) -> str:
    """The whole page, with every figure in it."""
    assessment, context = document.assessment, document.context
    return render(
        Path(__file__).with_name("report.html.jinja"),
        context=context,
        assessment=assessment,
        first=first_screen(document),
        saliency=document.saliency,
        part=part_in_full(assessment.part),
        overall=[metric for metric in (AUC_NOT_NORMAL, *OVERALL) if metric.name in assessment.estimates],
        no_image_of=no_image_of,
        by_class=BY_CLASS,
        slug=slug,
        first_changes=first_changes(document),
        properties={**PROPERTIES, "width": "width in pixels", "height": "height in pixels"},
        rules=RULES,
        gaps=describe_gaps(document),
        gap_rule=gap_rule([point.rule for point in assessment.operating_points]) if assessment.operating_points else None,
        gap_names=list(dict.fromkeys(name for subgroup in assessment.subgroups for name in subgroup.gaps)),
        metric_titles={metric.name: metric.title for metric in (*OVERALL, *BY_CLASS)},
        zones=ZONE_NAMES,
        lacking={name: estimate.why_not for name, estimate in assessment.estimates.items() if estimate.why_not},
        costs=describe_costs(assessment.costs, assessment.classes),
        temperature=describe_temperature(assessment),
        pictures=pictures,
        image=data_uri,
        footer=css_text(f"{context.name} ({context.run_id[:8]}), {context.started}. Research use only."),
        card=model_card(document),
        checklists=checklists(document),
        states=STATES,
        intended=INTENDED,
        percent=PERCENT,
        patients=PATIENTS,
        saliency_regions=REGION_DESCRIPTIONS,
    )


def first_changes(document: Document) -> list[str]:
    """The metrics of other data that the page shows without a click: overall ones, and those of the positive class, or all."""
    triage, elsewhere = document.assessment.triage, document.context.elsewhere
    positive = f"{slug(triage.positive_class)}/" if triage else ""
    metrics = [change.metric for change in elsewhere.changes] if elsewhere else []
    return [metric for metric in metrics if "/" not in metric or metric.startswith(positive)] or metrics


def css_text(text: str) -> str:
    r"""Text for a quoted string of a style sheet: what is not a letter, a digit or plain punctuation is escaped.

    >>> print(css_text('a"</style>'))
    a\22 \3c /style\3e
    """
    return "".join(c if c.isalnum() or c in " .,:-_()/=+" else f"\\{ord(c):x} " for c in text).strip()


def describe_temperature(assessment: Assessment) -> str:
    """The temperature, what it was fitted on, and whether it made these images' probabilities worse."""
    temperature, before, after = assessment.temperature, assessment.calibration, assessment.calibration_after
    text = f"Temperature {temperature.value:.3f}, fitted on {temperature.fitted_on:,} validation images"
    if temperature.why_not:
        return f"{text}: {temperature.why_not}."
    if assessment.chosen_on_same:
        return f"{text}, which are the evaluated ones: optimistic."
    worse = [name for name, a, b in (("log loss", before.nll, after.nll), ("ECE", before.ece, after.ece)) if b > a]
    if worse:
        return f"{text}. On the evaluated images it makes {' and '.join(worse)} worse."
    return f"{text}. It improves log loss and ECE of the evaluated images."


def describe_costs(costs: Sequence[Sequence[float]], classes: Sequence[str]) -> str:
    """The costs of errors that are not 1.

    >>> describe_costs([[0, 10, 10], [1, 0, 2], [1, 1, 0]], ["COVID", "Normal", "Viral"])
    'Costs of errors: COVID called another class 10, Normal called Viral 2, any other 1.'
    """
    costly = []
    for true, row in enumerate(costs):
        others = {index: cost for index, cost in enumerate(row) if index != true}
        if len(others) > 1 and len(set(others.values())) == 1 and set(others.values()) != {1}:
            costly.append(f"{classes[true]} called another class {next(iter(others.values())):g}")
        else:
            costly += [f"{classes[true]} called {classes[index]} {cost:g}" for index, cost in others.items() if cost != 1]
    return f"Costs of errors: {', '.join([*costly, 'any other 1' if costly else 'all 1'])}."


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
