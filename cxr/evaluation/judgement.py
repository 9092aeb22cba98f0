"""One part of the split as a trained network sees it, and the tables that a run keeps of it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cxr.evaluation.metrics import Evaluation
from cxr.evaluation.predictions import Predictions
from cxr.words import slug

TABLE = "evaluation/by_class.json"


@dataclass(frozen=True)
class Judgement:
    """What was predicted of one part, and how good that is; of the part that judges a run with all intervals."""

    part: str  # val, test, or external for other data
    predictions: Predictions
    evaluation: Evaluation


def class_table(headline: Judgement) -> dict[str, list[object]]:
    """Each class' numbers, with the ends of their 95 % intervals, as a table that MLflow's UI compares across runs."""
    columns = [f"{key}{end}" for key in ("sensitivity", "specificity", "auc", "ppv", "npv") for end in ("", "_lo", "_hi")]
    numbers, predictions = headline.evaluation.logged, headline.predictions
    rows: list[object] = [
        [name, *(numbers.get(f"{slug(name)}/{key}") for key in columns), int((predictions.labels == index).sum())]
        for index, name in enumerate(predictions.classes)
    ]
    return {"columns": ["class", *columns, "images"], "data": rows}


def metrics_document(judgements: Sequence[Judgement]) -> dict[str, object]:
    """Every number of every part, with the confusion matrix and the reasons for what has no value."""
    return {
        judgement.part: {
            "images": len(judgement.predictions.labels),
            "classes": list(judgement.predictions.classes),
            "metrics": judgement.evaluation.numbers,
            "intervals": judgement.evaluation.intervals,
            "undefined": judgement.evaluation.undefined,
            "confusion_matrix": judgement.evaluation.confusion.tolist(),
        }
        for judgement in judgements
    }


def write_json(path: Path, document: object) -> None:
    """A JSON file; raises `ValueError` for what is no number, which readers of JSON can't take."""
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
