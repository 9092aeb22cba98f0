"""The numbers of a results table against the same numbers computed in another way."""

import json
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from cxr.compare.cells import columns_of, legend_of, markdown_of
from cxr.compare.experiments import Experiment, of_presets, of_runs
from cxr.compare.table import ExternalResult, frame_of, table_of
from cxr.evaluation.predictions import Predictions
from cxr.tracking.search import FINISHED, filtered_runs
from tests.logged_runs import MakeRun, fold

PRESETS = ("frozen_head_baseline", "fast")


@pytest.fixture
def experiments(make_run: MakeRun) -> list[Experiment]:
    for preset, skill, seed in (("frozen_head_baseline", 1.0, 1), ("fast", 2.5, 2)):
        for number in range(3):
            seconds = {"seconds/train": 10.0 + number, "seconds/audit": 5.0}
            tags = {"cxr.audit": "strong" if number else "some", "cxr.positive_class": "covid", "cxr.evaluated_images": "30"}
            make_run(f"{preset}-{number}", skill, seed=seed, fold=fold(number), preset=preset, metrics=seconds, tags=tags)
    return of_presets(filtered_runs(FINISHED), PRESETS).experiments


def called(validation: Predictions, evaluated: Predictions, specificity: float) -> Any:
    """Above the lowest score of another class at or below which that share of them lies."""
    of_others = validation.probabilities[validation.labels != 0, 0]
    return evaluated.probabilities[:, 0] > np.quantile(of_others, specificity, method="inverted_cdf")


def test_rates_are_of_all_folds_each_with_its_own_threshold(experiments: list[Experiment]) -> None:
    frame = frame_of(table_of(of_presets(filtered_runs(FINISHED), PRESETS)))
    rows: dict[str, dict[str, Any]] = {row["name"]: row for row in json.loads(frame.to_json(orient="records"))}
    for experiment in experiments:
        labels = np.concatenate([run.predictions.labels for run in experiment.runs])
        probabilities = np.concatenate([run.predictions.probabilities for run in experiment.runs])
        row = rows[experiment.name]
        assert row["accuracy"] == pytest.approx(accuracy_score(labels, probabilities.argmax(axis=1)))
        assert row["auc_macro_ovr"] == pytest.approx(roc_auc_score(labels, probabilities, multi_class="ovr"))
        for specificity in (0.99, 0.95):
            pairs = zip(experiment.validation, experiment.runs, strict=True)
            positive = np.concatenate([called(before, run.predictions, specificity) for before, run in pairs])
            at = f"at_specificity_{specificity:g}"
            assert row[f"{at}/sensitivity"] == pytest.approx(positive[labels == 0].mean())
            assert row[f"{at}/specificity"] == pytest.approx(1 - positive[labels != 0].mean())
            ends = proportion_confint(positive[labels == 0].sum(), (labels == 0).sum(), method="wilson")
            assert (row[f"{at}/sensitivity_lo"], row[f"{at}/sensitivity_hi"]) == pytest.approx(ends)
        assert row["seconds"] == pytest.approx(16.0)
        assert row["audit"] == "some strong strong"
    base, fast = rows["frozen_head_baseline"], rows["fast"]
    assert fast["vs_baseline/accuracy"] == pytest.approx(fast["accuracy"] - base["accuracy"])
    assert fast["vs_baseline/accuracy_lo"] > 0
    at = "at_specificity_0.99/sensitivity"
    assert fast[f"vs_baseline/{at}"] == pytest.approx(fast[at] - base[at])
    assert base["vs_baseline/accuracy"] is None


def test_headings_and_sentences_follow_the_numbers(experiments: list[Experiment]) -> None:
    elsewhere = {"fast": ExternalResult(17, {"accuracy": (0.5, 0.4, 0.6)})}
    table = table_of(of_presets(filtered_runs(FINISHED), (*PRESETS, "full")), elsewhere)
    headings = [column.heading for column in columns_of(table)]
    assert "accuracy elsewhere" in headings
    assert "macro AUC elsewhere" not in headings  # as no row has it
    text = markdown_of(table)
    assert "| fast | " in text
    assert "0.500 (0.400-0.600)" in text
    assert "strong evidence (2 of 3), some evidence (1 of 3)" in text
    assert "full is missing: no run has finished on these images and this split." in text
    assert len([line for line in text.splitlines() if line.startswith("|---")]) == 1
    assert any("17 images of other data" in sentence for sentence in legend_of(table))


def test_earlier_versions_of_the_code_are_noted(make_run: MakeRun) -> None:
    tags = {"cxr.positive_class": "", "cxr.evaluated_images": "90"}
    table = table_of(of_runs([make_run(name, tags={**tags, "cxr.code_fingerprint": name}) for name in ("old", "new")]))
    assert table.notes == ["Made by an earlier version of the code than the others: old."]
    assert table.positive == ""  # no class is urgent, so there are no thresholds
    assert not table.knows("at_specificity_0.99/sensitivity")
    assert not any("sensitivity" in column.heading for column in columns_of(table))


def test_names_are_escaped_in_markdown(make_run: MakeRun) -> None:
    table = table_of(of_runs([make_run("a | <b>"), make_run("plain")]))
    assert markdown_of(table).splitlines()[2].startswith("| a \\| &lt;b> |")
