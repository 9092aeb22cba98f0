"""CLAIM 2024 and TRIPOD+AI: answers that a run can give, and the items that it leaves to the authors."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import yaml

from cxr.evaluation.estimates import PERCENT, no_image_of
from cxr.evaluation.figures.decisions import RULES
from cxr.evaluation.metric_table import AUC_NOT_NORMAL, BY_CLASS, OVERALL, overall
from cxr.evaluation.report.document import Data, Document
from cxr.evaluation.report.first_screen import describe_grouping
from cxr.evaluation.report.rendering import plain
from cxr.text import part_in_full, pluralize, slug

OPEN = "To be filled in by the authors."
STATES = ("answered", "partly", "open")
_RATES = ("sensitivity", "specificity")


@dataclass(frozen=True)
class Item:
    """One item of a standard, its answer by the run, and what is left to the authors; both may be empty."""

    number: str
    asks: str
    answer: str
    left: str = ""

    @property
    def state(self) -> str:
        """Answered, partly or open."""
        return "open" if not self.answer else "partly" if self.left else "answered"


@dataclass(frozen=True)
class Checklist:
    """The items of one standard, in its order."""

    standard: str
    items: list[Item]

    def numbers(self, state: str) -> list[str]:
        """Numbers of the items in one state."""
        return [item.number for item in self.items if item.state == state]


def checklists(document: Document) -> list[Checklist]:
    """Both standards, with the answers of a run."""
    known = answers(document)

    def answered(item: dict[str, str]) -> Item:
        return Item(item["number"], item["item"], item.get("answer", "").format_map(known).strip(), item.get("left", ""))

    standards = yaml.safe_load(Path(__file__).with_name("checklist.yaml").read_text())
    return [Checklist(standard["standard"], [answered(item) for item in standard["items"]]) for standard in standards]


def as_markdown(lists: list[Checklist]) -> str:
    """One table for each standard, for authors to complete."""
    lines = ["# Reporting checklists", "", "Filled in by `cxr` as far as the run knows; the rest is the authors'.", ""]
    for checklist in lists:
        lines += [
            f"## {checklist.standard}",
            "",
            *(f"{state.capitalize()}: {', '.join(checklist.numbers(state)) or 'none'}  " for state in STATES),
            "",
            "| item | asks for | state | answer | left to the authors |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| {item.number} | {item.asks} | {item.state} | {plain(item.answer)} | {item.left or ('' if item.answer else 'all')} |"
            for item in checklist.items
        ] + [""]
    return "\n".join(lines)


def answers(document: Document) -> dict[str, str]:
    """Answers in sentences, by the names in `checklist.yaml`; empty if the run can't know."""
    context, assessment, model, saliency = document.context, document.assessment, document.context.model, document.saliency
    temperature = assessment.temperature
    paired = "; against the baseline, of paired differences, Tango, DeLong and bootstrap, each with its own test"
    decided = "; operating points, workload, predictive values and net benefit" if assessment.triage else ""
    rates = {
        name: ", ".join(f"{rate} {assessment.estimates[f'{slug(name)}/{rate}'].text}" for rate in _RATES)
        if count
        else no_image_of(name)
        for name, count in assessment.by_class.items()
    }
    metrics = [metric for metric in (AUC_NOT_NORMAL, *overall("headline")) if metric.name in assessment.estimates]
    headline = ", ".join(f"{metric.title} {assessment.estimates[metric.name].text_or_reason}" for metric in metrics)
    return {
        **_of_data(document),
        "model": f"{model.backbone}, {model.trained}; input {model.image_size} x {model.image_size} grey levels.",
        "weights": f"{model.weights}; the head is drawn from seed {model.seed}.",
        "software": ", ".join(f"{name} {version}" for name, version in model.packages.items()) + ".",
        "training": f"{model.training}; {model.optimizer}; {model.augmentation}; {model.loss}.",
        "loss": f"{model.loss.capitalize()}.",
        "preprocessing": "Images are decoded to 8-bit grey levels and resized; the model scales them to its backbone's range.",
        "code": f"Code: {model.code}.",
        "kept": "evaluated run" if context.evaluated else "run",
        "computed": "By the saved model." if context.overlap else "By the network as trained; the saved model agreed.",
        "metrics": f"Of each class: {', '.join(metric.label for metric in BY_CLASS)}; of all classes: "
        f"{', '.join(metric.label for metric in OVERALL)}; calibration errors{decided}.",
        "uncertainty": f"{PERCENT} intervals, which count images of a group as alike: Wilson for proportions, DeLong for AUC, "
        f"bootstrap for the rest{paired if context.differences else ''}.",
        "headline": f"{headline}, on {_where(document)}.",
        "diagnostic": f"{'; '.join(f'{name}: {text}' for name, text in rates.items())}.",
        "subgroups": _subgroups(document),
        "failures": f"{pluralize(len(assessment.failures), 'most confident error')} listed, by pair of true and predicted class.",
        "saliency": f"Grad-CAM at {saliency.layer}. {saliency.verdict}" if saliency else "None in this report.",
        "temperature": f"Temperature {temperature.value:.3f}, fitted on {temperature.fitted_on:,} validation images.",
        "thresholds": _thresholds(document),
        "caveats": " ".join([*context.caveats, *assessment.notes]) or "None beyond those of any stored collection.",
    }


def describe_data(data: Data) -> list[str]:
    """A set of images in sentences: which, how many of each class, how they were split."""
    flow = "; ".join(f"{name} {', '.join(f'{part} {n:,}' for part, n in parts.items())}" for name, parts in data.flow.items())
    return [f"{data.summary}.", f"Images by class and part: {flow}.", f"{data.split}."]


def _where(document: Document) -> str:
    return f"{pluralize(document.assessment.images, 'image')} of the {part_in_full(document.assessment.part)} part"


def _of_data(document: Document) -> dict[str, str]:
    context, data, overlap = document.context, document.context.data, document.context.overlap
    left_out = ", ".join(f"{pluralize(count, 'image')} {why}" for why, count in data.left_out.items() if count)
    sources = "; ".join(f"{name} {', '.join(f'{kind} {n:,}' for kind, n in row.items())}" for name, row in data.sources.items())
    whole, flow, split = describe_data(data)
    internal = f"Evaluated on {_where(document)}, which no training image shares a group with."
    if overlap:
        internal = ""
    elif document.assessment.chosen_on_same:
        internal = f"Evaluated on {_where(document)}, which stopped the training and chose thresholds: optimistic."
    external = ""
    if overlap and context.other_data:
        external = (
            f"{' '.join(describe_data(context.other_data))} Of {pluralize(overlap.images, 'image')} those that the run has too are "
            f"left out: {overlap.same_pixels:,} by pixels, {overlap.look_alike:,} by look. Patients are not compared."
        )
    return {
        "data": whole,
        "classes": ", ".join(document.assessment.classes),
        "flow": flow,
        "sources": f"Sources by class: {sources}." if sources else "",
        "licence": f"{data.citation}{f' ({data.licence})' if data.licence else ''}." if data.citation else "",
        "left_out": f"Left out: {left_out}." if left_out else "Of the images listed for these classes none was left out.",
        "split": split,
        "groups": describe_grouping(data),
        "internal": internal,
        "external": external,
    }


def _subgroups(document: Document) -> str:
    subgroups = document.assessment.subgroups
    if not subgroups:
        return ""
    columns = ", ".join(dict.fromkeys(subgroup.column for subgroup in subgroups))
    large = [subgroup for subgroup in subgroups if not subgroup.small]
    if not large:
        return f"By {columns}; every group is small, so none is singled out. {describe_gaps(document)}".rstrip()
    worst = min(large, key=lambda subgroup: subgroup.estimates["balanced_accuracy"].value or 0.0)
    accuracy = worst.estimates["accuracy"]
    lowest = f"of groups that are not small, worst by balanced accuracy: {worst.name}, accuracy {accuracy.text}"
    return f"By {columns}; {lowest}. {describe_gaps(document)}".rstrip()


def describe_gaps(document: Document) -> str:
    """A sentence on which subgroups differ from the other images of their column; "" in a report of before version 0.3."""
    if not any(group.gaps for group in document.assessment.subgroups):
        return ""
    labels = {metric.name: metric.label for metric in (*OVERALL, *BY_CLASS)}
    subgroups = document.assessment.subgroups
    values = Counter(group.column for group in subgroups)
    gaps = [
        (group.name, labels[name], gap)
        for group in subgroups
        for name, gap in group.shown_gaps.items()
        if values[group.column] > 2 or (gap.value or 0.0) < 0  # of two values each has the other's difference
    ]
    if not gaps:
        return "No subgroup differs beyond chance."
    ordered = sorted(gaps, key=lambda row: -abs(row[2].value or 0.0))
    return f"Differences from the other images: {'; '.join(f'{name}, {label} {gap.signed}' for name, label, gap in ordered)}."


def _thresholds(document: Document) -> str:
    points = document.assessment.operating_points
    if not points:
        return f"Probabilities of each class; no thresholds, as {document.assessment.no_positive_class}."
    rules = "; ".join(f"{RULES[point.rule.name]}: {point.rule.in_words}" for point in points)
    return f"Probabilities of each class. {rules}."
