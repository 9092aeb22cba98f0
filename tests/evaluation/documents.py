"""Simulated reports for tests."""

from dataclasses import replace

import numpy as np
import pandas as pd

from cxr.config.schema import EvaluationConfig
from cxr.evaluation.assessment import Assessment, Evidence, assess
from cxr.evaluation.figures.drawing import Picture, pictures_of
from cxr.evaluation.figures.registry import assessment_figures
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.document import VERSION, Caption, Data, Document, Model, ReportContext
from cxr.evaluation.saliency import RandomisedStage, Saliency, gallery
from tests.evaluation.made import CLASSES, skilled

MODEL = Model(
    *("MobileNetV2", "weights", 96, "head trained", "loss plain", "adam", "8 epochs", "none", 0),
    settings={},
    packages={"keras": "3"},
    code="commit abc",
)
FLOW = {name: {"train": 5, "test": 3} for name in CLASSES}
DATA = Data("300 images", "Split three_way", FLOW, sources={}, left_out={"unreadable": 2}, groups=300, fingerprint="f00d")
FACTS = ReportContext(
    title="cxr run <b>a run</b>",
    run_id="1234abcd",
    name="a run",
    role="candidate",
    choices={"freeze": "head"},
    overrides=["a=b"],
    evaluated=None,
    asked=[],
    evaluated_by="",
    model=MODEL,
    data=DATA,
    other_data=None,
    overlap=None,
    caveats=["Fake."],
    baseline=None,
    no_baseline="No baseline.",
    differences=[],
)


def assessed(evaluated: Predictions, **settings: object) -> Assessment:
    """An assessment with two sources; validation has other images of the same classes."""
    validation = skilled(7, 200, classes=evaluated.classes)
    columns = pd.DataFrame({"source": [f"site {row % 2}" for row in range(len(evaluated.labels))]})
    quick = EvaluationConfig(resamples=100, **settings)  # type: ignore[arg-type]
    return assess(Evidence(validation, evaluated, "test", evaluated.ids, columns), quick)


def pictured(evaluated: Predictions, found: Assessment) -> list[Picture]:
    """All figures that follow from predictions, small."""
    return pictures_of(assessment_figures(evaluated, found), dpi=50)


def document(evaluated: Predictions, pictures: list[Picture] | None = None, **changes: object) -> Document:
    """A whole report; `changes` are fields of its context."""
    found = assessed(evaluated)
    saliency = Saliency(
        "out_relu", (3, 3), gallery(evaluated, 1), dict.fromkeys(CLASSES, 2), 4, [RandomisedStage("all weights", 0.1)], "They do."
    )
    captions = [Caption(each.name, each.section, each.caption, each.alt) for each in pictures or []]
    return Document(VERSION, replace(FACTS, **changes), found, saliency, captions)  # type: ignore[arg-type]


def film(count: int, size: int = 40) -> np.ndarray:
    """Grey noise, (count, size, size, 1) uint8."""
    return np.random.default_rng(0).integers(0, 255, (count, size, size, 1)).astype(np.uint8)
