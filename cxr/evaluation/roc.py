"""Areas under the ROC curve: of one model with DeLong's interval, and the error of a difference between two models."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import rankdata

from cxr.evaluation.effective_size import independent_images, members_among
from cxr.evaluation.estimates import CONFIDENCE, Estimate, lacking, standard_errors, wilson_interval
from cxr.evaluation.predictions import Predictions


def area_under_roc(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], groups: Sequence[str] | None = None, confidence: float = CONFIDENCE
) -> Estimate:
    """AUC of scores, with DeLong's interval on the logit scale.

    The interval is symmetric in log(AUC / (1 - AUC)), as the plain one covers too seldom near 1: 84 % instead of 95 % for an AUC of
    0.95 and 50 images. Where all images of the class are above, or below, all others, the variance is 0: then the interval is
    Wilson's for as many independent pairs as the smaller of the two sides has images.

    Args:
        positive, scores: (n,).
        groups: (n,); images of a group count as alike.
        confidence: of the interval, 0 to 1.

    Source:
        Pepe, "The Statistical Evaluation of Medical Tests", 2003, section 5.2.5; for groups Obuchowski 1997.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        return lacking("no image is of this class" if m == 0 else "every image is of this class")
    above, below = placements(positive, scores)
    auc = float(above.mean())
    sides = members_among(groups, positive), members_among(groups, ~positive)
    if auc in (0.0, 1.0):
        pairs = min(map(independent_images, sides))
        low, high = wilson_interval(auc * pairs, pairs, confidence)
        return Estimate(auc, low, high)
    if min(len(np.unique(side)) for side in sides) < 2:
        return Estimate(auc, why_not="an interval needs two images of this class and two others, of different groups")
    members = members_among(groups, np.ones(len(scores), bool))
    if len(np.unique(members)) == len(scores):
        spread = math.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n)
    else:
        spread = math.sqrt((np.bincount(members, auc_influence(positive, scores)) ** 2).sum())
    if spread < 1e-12:
        return Estimate(auc, why_not="the scores tie, so DeLong's variance is 0")
    half = standard_errors(confidence) * spread / (auc * (1 - auc))
    return Estimate(auc, float(expit(logit(auc) - half)), float(expit(logit(auc) + half)))


def placements(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each positive the share of negatives below it, (m,), and for each negative the share of positives above it, (n,).

    Ties count half; the mean of either is the AUC.

    Args:
        positive, scores: (m + n,).

    Source:
        DeLong et al. 1988, by the ranks of Sun and Xu 2014.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    ranks = rankdata(scores)
    above = (ranks[positive] - rankdata(scores[positive])) / n
    below = 1 - (ranks[~positive] - rankdata(scores[~positive])) / m
    return above, below


def auc_influence(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each image adds to the error of an AUC, (n,); the sum of squares is DeLong's variance.

    Sums over groups, squared and added, give the variance for groups. Needs two positive images and two others.

    Args:
        positive, scores: (n,).

    Source:
        DeLong et al. 1988; Obuchowski, "Nonparametric analysis of clustered ROC curve data", 1997.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    above, below = placements(positive, scores)
    influence = np.empty(len(positive))
    influence[positive] = (above - above.mean()) / np.sqrt(m * (m - 1))
    influence[~positive] = (below - below.mean()) / np.sqrt(n * (n - 1))
    return influence


def auc_error(reference: Predictions, other: Predictions, classes: list[int], groups: NDArray[np.int64]) -> float | None:
    """Standard error of the difference in AUC of a class, or in the mean AUC of several, by DeLong's variance.

    None where a class has fewer than two images, or all but one. An image counts for one class and against the others, so the
    covariance of the classes is in the sum.

    Args:
        groups: (n,), the number of the group of each image.
    """
    total = np.zeros(len(groups))
    for index in classes:
        positive = reference.labels == index
        if not 2 <= positive.sum() <= len(positive) - 2:
            return None
        total += auc_influence(positive, other.probabilities[:, index]) - auc_influence(positive, reference.probabilities[:, index])
    return float(np.sqrt((np.bincount(groups, total / len(classes)) ** 2).sum()))
