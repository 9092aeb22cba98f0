"""Other data with other classes: one AUC has all images, and a class without images has no number anywhere."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from cxr.config.schema import EvaluationConfig
from cxr.evaluation.assessment import Evidence, assess
from cxr.evaluation.report.card import description
from cxr.evaluation.report.document import Document, to_json
from cxr.evaluation.report.first_screen import first_screen
from cxr.evaluation.report.page import page
from cxr.evaluation.results import final_metrics, results_of
from cxr.evaluation.unknown_classes import UnknownClasses
from cxr.reevaluate.against_own import changes_from_own
from cxr.run.report.summary import print_assessment
from tests.evaluation.documents import DATA, assessed, document, pictured
from tests.evaluation.made import CLASSES, skilled

SETTINGS = EvaluationConfig(resamples=50)
COVID, NORMAL, VIRAL = range(3)


def evidence(present: list[int], unknown: int) -> Evidence:
    """Images of some classes of the model, and others of Edema, which it takes for the last class."""
    whole = skilled(1)
    known = whole.only(np.flatnonzero(np.isin(whole.labels, present)))
    others = np.tile([0.2, 0.3, 0.5], (unknown, 1))
    names = tuple(f"edema/{row}.png" for row in range(unknown))
    edema = UnknownClasses(names, CLASSES, ("Edema",) * unknown, others, names)
    columns = pd.DataFrame({"source": [f"site {row % 2}" for row in range(len(known.ids))]})
    return Evidence(skilled(7, 200), known, "external", known.ids, columns, unknown=edema)


def reported(shown: Evidence) -> tuple[Document, str]:
    """The report on other data, and its page as text."""
    assessment = assess(shown, SETTINGS)
    own = replace(document(skilled(1), other_data=DATA), assessment=assessment, saliency=None)
    return own, re.sub(r"<[^>]*>", " ", page(own, pictured(shown.evaluated, assessment)))


def test_auc_of_normal_has_the_images_of_unknown_classes_too() -> None:
    shown = evidence([COVID, NORMAL, VIRAL], 25)
    estimate = assess(shown, SETTINGS).estimates["auc_not_normal"]
    not_normal = np.r_[shown.evaluated.labels != NORMAL, np.ones(25, bool)]
    p_normal = np.r_[shown.evaluated.probabilities[:, NORMAL], np.full(25, 0.3)]
    assert estimate.value == pytest.approx(roc_auc_score(not_normal, 1 - p_normal))
    assert estimate.known is not None
    alone = assess(evidence([COVID, NORMAL, VIRAL], 0), SETTINGS).estimates
    assert alone["auc_not_normal"].known == pytest.approx(alone["normal/auc"].known)
    assert "auc_not_normal" not in assessed(skilled(1)).estimates  # of own data


@pytest.mark.parametrize(
    ("present", "unknown", "reason"),
    [
        ([NORMAL], 0, "not known: every image is Normal"),
        ([COVID, VIRAL], 5, "not known: no image of Normal"),
    ],
)
def test_auc_of_normal_needs_both_kinds(present: list[int], unknown: int, reason: str) -> None:
    estimate = assess(evidence(present, unknown), SETTINGS).estimates["auc_not_normal"]
    assert (estimate.value, estimate.why_not) == (None, reason)


@pytest.fixture(scope="module")
def without_covid() -> Evidence:
    return evidence([NORMAL, VIRAL], 4)


def test_absent_class_has_no_number(without_covid: Evidence, capsys: pytest.CaptureFixture[str]) -> None:
    report, text = reported(without_covid)
    assessment = report.assessment
    assert "not known: no image of COVID" in text
    assert "Target not met" not in text
    assert "nan" not in text.lower().split()
    assert not [tile for tile in first_screen(report).tiles if "COVID" in tile.text]
    stored = json.loads(to_json(report))["assessment"]
    assert {row["value"] for name, row in stored["estimates"].items() if name.startswith("covid/")} == {None}
    rates = [
        point["evaluated"][rate] for point in stored["operating_points"] for rate in ("sensitivity", "specificity", "ppv", "npv")
    ]
    assert {rate["value"] for rate in rates} == {None}
    logged = final_metrics(results_of(without_covid, assessment, EvaluationConfig()), assessment)
    of_positive = re.compile("external/(covid|points|triage)/")
    named = [name for name in logged if of_positive.match(name)]
    assert all("cost_per_image" in name or name.endswith("/threshold") for name in named)
    assert "external/auc_not_normal" in logged
    assert "interval/external/auc_not_normal_lo" in logged
    print_assessment("a run", assessment)
    printed = capsys.readouterr().out
    assert "Not known: no image of COVID" in printed
    assert not re.search(r"^\s*COVID\s", printed, re.MULTILINE)
    assert re.search(r"Sensitivity target 0.95 for COVID: not known: no image of COVID; \d+ of \d+ images", printed)
    assert "AUC of normal against the rest: 0." in printed


def test_classes_that_are_not_shared_are_named(without_covid: Evidence) -> None:
    report, text = reported(without_covid)
    assert report.assessment.unknown == {"Edema": 4}
    assert "Classes without an image in this data: COVID." in text
    assert "Classes that the model does not know: Edema (4 images)." in text
    assert "and 4 images of classes that the model does not know" in text
    assert "not known: no image of COVID" in description(report)


def test_comparison_with_own_data_has_what_both_know(without_covid: Evidence) -> None:
    own, other = assessed(skilled(1)), assess(without_covid, SETTINGS)
    changes = {change.metric: change for change in changes_from_own(own, other, SETTINGS)}
    assert changes["auc_not_normal"].own == own.estimates["normal/auc"]
    assert changes.keys() >= {"normal/sensitivity", "viral_pneumonia/auc"}
    assert not [name for name in changes if "covid" in name or name in ("accuracy", "auc_macro_ovr")]
    same = changes_from_own(own, assess(evidence([COVID, NORMAL, VIRAL], 0), SETTINGS), SETTINGS)
    assert {"accuracy", "covid/sensitivity"} <= {change.metric for change in same}
