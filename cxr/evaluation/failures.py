"""Failures: the most confident misclassified images for each pair of true and predicted class."""

from dataclasses import dataclass

import numpy as np

from cxr.evaluation.predictions import Predictions


@dataclass(frozen=True)
class Failure:
    """One image that was called another class; `probabilities` by class name."""

    id: str
    label: str
    predicted: str
    probabilities: dict[str, float]


def failures(predictions: Predictions, per_cell: int) -> list[Failure]:
    """Up to `per_cell` misclassified images for each pair of true and predicted class, most confident first, then by id."""
    errors = []
    classes, confidence = predictions.classes, predictions.probabilities.max(axis=1)
    for true, called in np.ndindex(len(classes), len(classes)):
        if true == called:
            continue
        rows = np.flatnonzero((predictions.labels == true) & (predictions.predicted == called))
        for row in sorted(rows, key=lambda row: (-confidence[row], predictions.ids[row]))[:per_cell]:
            probabilities = {name: float(p) for name, p in zip(classes, predictions.probabilities[row], strict=True)}
            errors.append(Failure(predictions.ids[row], classes[true], classes[called], probabilities))
    return errors
