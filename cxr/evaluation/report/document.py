"""The content of a report as data, and the schema of its JSON."""

import json
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from cxr.data.identity.annotate import Identity
from cxr.evaluation.assessment import Assessment
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.figures.drawing import Section
from cxr.evaluation.light import Light
from cxr.evaluation.paired import Difference
from cxr.evaluation.report.versions import upgraded
from cxr.evaluation.saliency import Saliency
from cxr.evaluation.shift import Shift
from cxr.text import parse_json

VERSION = 3
PROFILE = "data/profile.html"  # beside the report


@dataclass(frozen=True)
class Model:
    """What was trained, and on what machine; `settings` is the whole config by dotted key."""

    backbone: str
    weights: str
    image_size: int
    trained: str  # which part of it
    loss: str
    optimizer: str
    training: str
    augmentation: str
    seed: int
    settings: dict[str, str]
    packages: dict[str, str]
    code: str  # commit, and whether it had uncommitted changes


@dataclass(frozen=True)
class Data:
    """Which images: `flow` counts them by class and part of the split, `sources` by source and class; empty where unknown."""

    summary: str
    split: str
    flow: dict[str, dict[str, int]]
    sources: dict[str, dict[str, int]]
    left_out: dict[str, int]
    groups: int
    fingerprint: str
    identity: Identity | None = None  # None: the report is of an earlier version
    citation: str = ""
    licence: str = ""
    profile: str = ""  # the page about these images, beside the report of the run; "": none was written before it

    def count(self, part: str, name: str | None = None) -> int:
        """Images of one part of the split, of one class or of all."""
        return sum(parts.get(part, 0) for label, parts in self.flow.items() if name in (None, label))


@dataclass(frozen=True)
class Overlap:
    """Images of other data that the run has too, in any part of its split; they are left out."""

    images: int  # of the other data, before any was left out
    same_pixels: int
    look_alike: int


@dataclass(frozen=True)
class MetricShift:
    """A metric on the run's own test part and on other data, with the difference of the two; other images, so unpaired."""

    metric: str
    label: str
    own: Estimate
    other: Estimate
    difference: Estimate


@dataclass(frozen=True)
class OtherDataResult:
    """The run's own result and that on other data, and how far that data is from the run's images."""

    part: str  # of the run's own split
    images: int
    changes: list[MetricShift]
    shift: Shift | None
    why_no_shift: str = ""
    gate: Estimate | None = None  # share of the other data that passes the gate of the model; None: the run has no gate


@dataclass(frozen=True)
class AuditTable:
    """A table of texts: a caption, column headings, rows of cells."""

    caption: str
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class AuditSection:
    """The outcome of an audit: a light, sentences and tables; `alarms` say that it can't be trusted."""

    light: Light
    verdict: str
    limits: str
    advice: str
    alarms: list[str]
    tables: list[AuditTable]
    notes: list[str]


@dataclass(frozen=True)
class ReportContext:
    """The content of a report besides the numbers."""

    title: str
    run_id: str
    name: str
    role: str  # baseline, candidate or evaluation
    choices: dict[str, str]  # group: option
    overrides: list[str]
    evaluated: str | None  # the run whose model or predictions were evaluated; None: its own
    asked: list[str]  # overrides of an evaluation
    evaluated_by: str  # the code that did the evaluation, where it is not the run's own
    model: Model
    data: Data  # that the model learned from, whole
    other_data: Data | None  # that is evaluated instead of the run's own
    overlap: Overlap | None  # of other data with that of the run
    caveats: list[str]
    baseline: str | None  # name and id, if there is one
    no_baseline: str
    differences: list[Difference]  # from the baseline
    started: str = ""  # the day on which the run began, as 2026-11-25
    user: str = ""
    primary: str = "auc_macro_ovr"  # the metric that the comparison is about, named before the run
    baseline_settings: dict[str, tuple[str, str]] = field(default_factory=dict)  # that differ: of the baseline, of this run
    elsewhere: OtherDataResult | None = None  # of an evaluation on other data
    audit: AuditSection | None = None  # None: no audit was requested, or the report is of an earlier version

    @property
    def primary_difference(self) -> Difference | None:
        """That of the primary metric; None without a baseline."""
        return next((difference for difference in self.differences if difference.metric == self.primary), None)


@dataclass(frozen=True)
class ImageCaption:
    """An image of a figure, by the name of its file, next to that of the figure."""

    file: str
    caption: str
    alt: str


@dataclass(frozen=True)
class Caption:
    """A figure by its file name without suffix: its section of the report, its caption, its text for those who can't see it."""

    name: str
    section: Section
    caption: str
    alt: str
    films: list[ImageCaption] = field(default_factory=list)  # of a figure of images


@dataclass(frozen=True)
class Document:
    """A whole report."""

    version: int
    context: ReportContext
    assessment: Assessment
    saliency: Saliency | None
    figures: list[Caption]


def to_json(document: Document) -> str:
    """The document as JSON.

    Raises:
        ValueError: A number is not finite, which would be a fault of cxr.
    """
    return json.dumps(_adapter().dump_python(document, mode="json"), indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def from_json(text: str) -> Document:
    """The document of a stored report.json of this version or an earlier one.

    Raises:
        ValueError: The text is no such document.
    """
    content = parse_json(text)
    try:
        return _adapter().validate_python(upgraded(content))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"it is no report of version {content['version']} ({error})") from None


def schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the document."""
    named = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Report of a cxr run"}
    return named | _adapter().json_schema(mode="serialization")


@cache
def _adapter() -> TypeAdapter[Document]:
    return TypeAdapter(Document)
