"""The positive class at thresholds that each run chose on its own validation images, over the evaluated images of all runs."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cxr.compare.runs import EvaluatedRun, positive_class_of
from cxr.evaluation.operating_points import threshold_for_specificity
from cxr.evaluation.predictions import Predictions
from cxr.text import slug

SPECIFICITIES = (0.99, 0.95)  # for which tables over several runs choose thresholds


def positive_index(evaluated: EvaluatedRun) -> int | None:
    """The place of the class of a run's operating points among its classes; None if no class is positive."""
    slugs, positive = [slug(name) for name in evaluated.predictions.classes], positive_class_of(evaluated.run)
    return slugs.index(positive) if positive in slugs else None


def called_positive(
    runs: Sequence[EvaluatedRun], validation: Sequence[Predictions], index: int, specificity: float
) -> NDArray[np.bool_]:
    """Which evaluated images are called positive, run after run, each run at the threshold of its own `validation`.

    Raises `ValueError` where a validation part has no image of another class.
    """
    called = []
    for evaluated, before in zip(runs, validation, strict=True):
        positive = before.labels == index
        if positive.all():
            raise ValueError("a validation part has no image of another class")
        threshold = threshold_for_specificity(before.probabilities[:, index], positive, specificity)
        called.append(evaluated.predictions.probabilities[:, index] >= threshold)
    return np.concatenate(called)
