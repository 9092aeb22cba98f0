"""The results of one part of the split, and the tables that a run logs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cxr.config.schema import EvaluationConfig
from cxr.evaluation.assessment import Assessment, Evidence, numbers_of
from cxr.evaluation.estimates import ENDS, interval_name
from cxr.evaluation.metric_table import by_class
from cxr.evaluation.metrics import WORST_GROUP_AUC, Evaluation, evaluate, sensitivity_at_specificity
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.subgroups import worst_group_auc
from cxr.text import slug

TABLE = "evaluation/by_class.json"


@dataclass(frozen=True)
class PartResults:
    """Predictions of one part and their metrics; the evaluated part has all intervals."""

    part: str  # val, test, or external for other data
    predictions: Predictions
    evaluation: Evaluation


def results_of(evidence: Evidence, assessment: Assessment, settings: EvaluationConfig) -> list[PartResults]:
    """Results of each part, the evaluated one last. Validation also has what a sweep may choose by."""
    columns = evidence.columns if evidence.chosen_on_same else evidence.validation_columns
    on_validation = evaluate(evidence.validation, evidence.validation_groups)
    on_validation.estimates.update(sensitivity_at_specificity(evidence.validation, settings.specificity))
    if columns is not None and (worst := worst_group_auc(evidence.validation, columns, settings.small_group)):
        on_validation.estimates[WORST_GROUP_AUC] = worst
    if evidence.chosen_on_same:
        whole = Evaluation(on_validation.estimates | assessment.estimates, on_validation.confusion)
        return [PartResults(evidence.part, evidence.evaluated, whole)]
    headline = PartResults(evidence.part, evidence.evaluated, Evaluation(assessment.estimates, np.array(assessment.confusion)))
    return [PartResults("val", evidence.validation, on_validation), headline]


def final_metrics(results: Sequence[PartResults], assessment: Assessment) -> dict[str, float]:
    """Every number by its name in the store: PART/NAME, and the ends of its interval as `interval_name` has them."""
    finals = {f"{result.part}/{name}": value for result in results for name, value in result.evaluation.logged.items()}
    finals |= {f"{results[-1].part}/{name}": value for name, value in numbers_of(assessment).items()}
    return {interval_name(name) if name.endswith(ENDS) else name: value for name, value in finals.items()}


def write_part_results(folder: Path, results: Sequence[PartResults]) -> None:
    """Write evaluation/metrics.json, and the table of the last one's classes.

    Raises:
        ValueError: A value is no number.
    """
    (folder / "evaluation").mkdir(parents=True, exist_ok=True)
    for name, document in (("evaluation/metrics.json", metrics_document(results)), (TABLE, class_table(results[-1]))):
        (folder / name).write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")


def class_table(headline: PartResults) -> dict[str, list[object]]:
    """Each class' numbers, with the ends of their 95 % intervals, as a table that MLflow's UI compares across runs."""
    columns = [f"{metric.name}{end}" for metric in by_class("classes") for end in ("", "_lo", "_hi")]
    numbers, predictions = headline.evaluation.logged, headline.predictions
    rows: list[object] = [
        [name, *(numbers.get(f"{slug(name)}/{key}") for key in columns), int((predictions.labels == index).sum())]
        for index, name in enumerate(predictions.classes)
    ]
    return {"columns": ["class", *columns, "images"], "data": rows}


def metrics_document(results: Sequence[PartResults]) -> dict[str, object]:
    """Every number of every part, with the confusion matrix and the reasons for what has no value."""
    return {
        result.part: {
            "images": len(result.predictions.labels),
            "classes": list(result.predictions.classes),
            "metrics": result.evaluation.numbers,
            "intervals": result.evaluation.intervals,
            "undefined": result.evaluation.undefined,
            "confusion_matrix": result.evaluation.confusion.tolist(),
        }
        for result in results
    }
