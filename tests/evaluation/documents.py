"""Simulated reports for tests."""

from dataclasses import replace

import numpy as np
import pandas as pd

from cxr.config.schema import EvaluationConfig
from cxr.data.identity.annotate import Identity
from cxr.evaluation.assessment import Assessment, Evidence, assess
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.figures.drawing import Picture, pictures_of
from cxr.evaluation.figures.registry import assessment_figures
from cxr.evaluation.metric_table import by_class, overall
from cxr.evaluation.paired import Difference, corrected, paired_differences
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.document import VERSION, Data, Document, MetricShift, Model, OtherDataResult, ReportContext
from cxr.evaluation.saliency import RandomisedStage, RegionShares, Saliency, even_shares, gallery
from cxr.evaluation.shift import PropertyShift, Shift
from tests.evaluation.made import CLASSES, skilled

MODEL = Model(
    *("MobileNetV2", "weights", 96, "head trained", "loss plain", "adam", "8 epochs", "none", 0),
    settings={},
    packages={"keras": "3"},
    code="commit abc",
)
FLOW = {name: {"train": 5, "val": 4, "test": 3} for name in CLASSES}
DATA = Data(
    "300 images",
    "Split three_way",
    FLOW,
    sources={},
    left_out={"unreadable": 2},
    groups=300,
    fingerprint="f00d",
    identity=Identity(6, 3, 0),
)
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
    started="2026-11-25",
    user="someone",
)


def assessed(evaluated: Predictions, **settings: object) -> Assessment:
    """An assessment with two sources; validation has other images of the same classes."""
    validation = skilled(7, 200, classes=evaluated.classes)
    columns = pd.DataFrame({"source": [f"site {row % 2}" for row in range(len(evaluated.labels))]})
    quick = EvaluationConfig(resamples=100, **settings)  # type: ignore[arg-type]
    return assess(Evidence(validation, evaluated, "test", evaluated.ids, columns), quick)


def pictured(evaluated: Predictions, assessment: Assessment) -> list[Picture]:
    """All figures that follow from predictions, small."""
    return pictures_of(assessment_figures(evaluated, assessment), dpi=50)


def compared(evaluated: Predictions) -> list[Difference]:
    """Differences of these predictions from duller ones of the same images."""
    turned = np.roll(evaluated.probabilities, 7, axis=0)
    duller = replace(evaluated, probabilities=(2 * evaluated.probabilities + turned) / 3)
    return corrected([paired_differences(duller, evaluated)])[0]


def document(evaluated: Predictions, **changes: object) -> Document:
    """A whole report; `changes` are fields of its context."""
    saliency = Saliency(
        layer="out_relu",
        map_size=(3, 3),
        gallery=gallery(evaluated, 1),
        averaged=dict.fromkeys(CLASSES, 2),
        regions=[RegionShares("COVID", 2, 0.6, 0.1, 0.4, 0.2)],
        evenly=even_shares((3, 3)),
        checked=4,
        randomisation=[RandomisedStage("all weights", 0.1, 0.2, 4)],
        verdict="They do.",
    )
    return Document(VERSION, replace(FACTS, **changes), assessed(evaluated), saliency, [])  # type: ignore[arg-type]


def film(count: int, size: int = 40) -> np.ndarray:
    """Grey noise, (count, size, size, 1) uint8."""
    return np.random.default_rng(0).integers(0, 255, (count, size, size, 1)).astype(np.uint8)


def elsewhere_of(assessment: Assessment, auc: float = 0.99) -> OtherDataResult:
    """The run's own result beside that on other data, which is the same here, and a shift."""
    names = [*(metric.name for metric in overall("summary")), *(f"covid/{metric.name}" for metric in by_class("summary"))]
    own = [(name, assessment.estimates[name]) for name in names]
    same = [MetricShift(name, name, estimate, estimate, Estimate(-0.1, -0.2, 0.0)) for name, estimate in own]
    shifts = [PropertyShift("contrast", 50, 70, 2.0), PropertyShift("brightness", 100, 90, -0.5)]
    return OtherDataResult("test", 300, same, Shift(200, Estimate(auc, auc - 0.01, 1.0), shifts))
