"""The numbers of a run: groups of the manifest reach the evaluated part and validation."""

from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd

from cxr.cache.rows import Rows
from cxr.config.compose import compose, typed
from cxr.data.dataset import Dataset
from cxr.data.identity.annotate import Identity
from cxr.data.parts import Part
from cxr.evaluation.estimates import proportion_among
from cxr.evaluation.predictions import Predictions
from cxr.model.weights import Weights
from cxr.run.prepared import PreparedRun
from cxr.run.report.assess import assess_run
from cxr.tracking.store import Store
from tests.evaluation.made import CLASSES, skilled


def test_groups_of_both_parts_are_those_of_the_manifest() -> None:
    composed, provenance = compose(["evaluation.resamples=100", "evaluation.subgroups=[]"])
    shown: dict[Part, Predictions] = {"val": skilled(1), "test": skilled(2)}
    patients = (np.arange(300) // 6).astype(str)
    parts = []
    for part, predictions in shown.items():
        labels, groups = np.array(CLASSES)[predictions.labels], [f"{part} {patient}" for patient in patients]
        parts.append(pd.DataFrame({"path": predictions.ids, "label": labels, "group": groups, "split": part, "source": "one"}))
    no_images, weights, root = cast(Rows, None), cast(Weights, None), Path()  # numbers need none of these
    dataset = Dataset(CLASSES, no_images, pd.concat(parts, ignore_index=True), (), Identity(0, 0, 100))
    by_part, assessment = assess_run(PreparedRun(typed(composed), provenance, dataset, weights, None, root, Store("", None)), shown)
    assert assessment.groups == 50
    for result, predictions in zip(by_part, shown.values(), strict=True):
        right, all_images = predictions.predicted == predictions.labels, np.ones(300, bool)
        expected = proportion_among(right, all_images, list(patients), "")
        assert result.evaluation.estimates["accuracy"] == expected
        assert expected != proportion_among(right, all_images, None, "")
