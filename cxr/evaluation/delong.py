"""Differences of areas under the ROC curve, of one class or averaged over classes, with DeLong's variance."""

import numpy as np
from numpy.typing import NDArray

from cxr.evaluation.estimates import auc_influence
from cxr.evaluation.predictions import Predictions


def auc_error(reference: Predictions, other: Predictions, classes: list[int], groups: NDArray[np.int64]) -> float | None:
    """Standard error of the difference in AUC of a class, or in the mean AUC of several; `groups` (n,) numbers the groups.

    None where a class has fewer than two images, or all but one. An image counts for one class and against the others, so the
    covariance of the classes is in the sum.
    """
    total = np.zeros(len(groups))
    for index in classes:
        positive = reference.labels == index
        if not 2 <= positive.sum() <= len(positive) - 2:
            return None
        total += auc_influence(positive, other.probabilities[:, index]) - auc_influence(positive, reference.probabilities[:, index])
    return float(np.sqrt((np.bincount(groups, total / len(classes)) ** 2).sum()))
