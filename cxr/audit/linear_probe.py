"""A linear probe: how well features predict the class of an image, cross-validated by group, with a bootstrap over groups."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cxr.cache.memoized import memoized_by_content
from cxr.evaluation.estimates import CONFIDENCE, Estimate
from cxr.evaluation.resampling import areas, resampled

_FOLDS = 5
_LEAST = 10  # groups of each class, below which nothing is fitted
_RESAMPLES = 500
_SHUFFLES = 5
_COMPONENTS = 150  # principal ones, that a probe is fitted on

Floats = NDArray[np.float64]

# How many times larger than in its interval, which resamples images but fits nothing again, the standard error of the AUC of
# out-of-fold probabilities is, as folds share what they are fitted on (Nadeau and Bengio, "Inference for the generalization error",
# 2003, equation 9). On 90 to 150 images of noise it was 1.35 to 1.56.
REFIT = (1 + _FOLDS / (_FOLDS - 1)) ** 0.5


@dataclass(frozen=True)
class Target:
    """What a probe predicts: a label of each of n images, 0 to classes - 1, and groups of images that stay together.

    `kind` is what labels stand for, as messages call it.
    """

    labels: NDArray[np.int64]
    groups: Sequence[str]
    kind: str = "class"

    @property
    def classes(self) -> int:
        """How many there are."""
        return int(self.labels.max(initial=-1)) + 1

    @property
    def why_not(self) -> str:
        """The reason why no probe can be fitted on these images, or ""."""
        if self.classes < 2:
            return f"all images are of one {self.kind}"
        counts = [len(set(np.asarray(self.groups)[self.labels == label])) for label in range(self.classes)]
        return f"a {self.kind} has {min(counts)} groups of images, and a probe needs {_LEAST}" if min(counts) < _LEAST else ""

    @cached_property
    def folds(self) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Rows to fit, (k,), and rows to score, (n - k,), five times: no group is in both."""
        split = StratifiedGroupKFold(_FOLDS, shuffle=True, random_state=0)
        return [(fitted, scored) for fitted, scored in split.split(self.labels, self.labels, list(self.groups))]

    def shuffled(self, seed: int) -> "Target":
        """The same with the labels of groups shuffled, as a control: no probe can predict them."""
        names, members = np.unique(np.asarray(self.groups), return_inverse=True)
        first = np.array([self.labels[members == group][0] for group in range(len(names))])
        return Target(np.random.default_rng(seed).permutation(first)[members], self.groups, self.kind)


@memoized_by_content(lambda features, target: (features, target.labels, np.asarray(target.groups, str)))
def out_of_fold_probabilities(features: NDArray[np.floating], target: Target) -> Floats:
    """Out-of-fold probabilities of each class, (n, classes), by a regularised logistic regression.

    Args:
        features: (n, d).
    """
    probabilities = np.zeros((len(target.labels), target.classes))
    if not np.ptp(features, axis=0).any():  # images that are all alike predict nothing
        return np.broadcast_to(np.bincount(target.labels, minlength=target.classes) / len(target.labels), probabilities.shape)
    # Without labels, so on all images: a fit on so few components takes a tenth of the time.
    reduction = make_pipeline(StandardScaler(), PCA(min(_COMPONENTS, *features.shape), svd_solver="full"))
    components = reduction.fit(features).transform(features)
    for fitted, scored in target.folds:
        model = LogisticRegression(C=0.01, tol=1e-3, max_iter=500).fit(components[fitted], target.labels[fitted])
        probabilities[np.ix_(scored, model.classes_)] = model.predict_proba(components[scored])  # 0 for a class not fitted on
    return probabilities


def probe_auc(features: NDArray[np.floating], target: Target) -> Estimate:
    """The macro AUC of a probe.

    Args:
        features: (n, d).
    """
    if target.why_not:
        return Estimate(None, why_not=target.why_not)
    return estimate_of(auc_draws(out_of_fold_probabilities(features, target), target))


def auc_of_shuffled_labels(features: NDArray[np.floating], target: Target) -> Estimate:
    """The mean over several shuffles of the labels, with the interval of that mean: 0.5, or labels leak into the probe.

    Args:
        features: (n, d).
    """
    if target.why_not:
        return Estimate(None, why_not=target.why_not)
    aucs = []
    for seed in range(_SHUFFLES):
        shuffled = target.shuffled(seed)
        probabilities = out_of_fold_probabilities(features, shuffled)
        aucs.append(roc_auc_score(np.eye(target.classes)[shuffled.labels], probabilities, average="macro"))
    mean, error = float(np.mean(aucs)), float(np.std(aucs, ddof=1) / np.sqrt(_SHUFFLES))
    return Estimate(mean, mean - t.ppf(0.975, _SHUFFLES - 1) * error, mean + t.ppf(0.975, _SHUFFLES - 1) * error)


def macro_auc(probabilities: Floats, target: Target) -> Estimate:
    """The mean over classes of the AUC of a class against all others; the interval is of a bootstrap over groups.

    Args:
        probabilities: (n, classes).
    """
    if target.why_not:
        return Estimate(None, why_not=target.why_not)
    return estimate_of(auc_draws(probabilities, target))


@memoized_by_content(lambda probabilities, target: (probabilities, target.labels, np.asarray(target.groups, str)))
def auc_draws(probabilities: Floats, target: Target) -> Floats:
    """The macro AUC of all images, and then of bootstrap draws: (1 + draws,). The same groups are drawn for any probabilities.

    Args:
        probabilities: (n, classes).
    """

    def statistics(weights: Floats) -> Floats:
        curves = [areas(target.labels == label, probabilities[:, label], weights)[0] for label in range(target.classes)]
        return np.asarray(np.mean(curves, axis=0)[None])

    whole = statistics(np.ones((1, len(target.labels))))[0]
    return np.concatenate([whole, resampled(statistics, list(target.groups), _RESAMPLES, seed=0)[0]])


def above_chance_retained(part: Floats, whole: Floats) -> Estimate:
    """The share of above-chance performance that is left: (part - 0.5) / (whole - 0.5).

    Args:
        part, whole: (1 + draws,), of `auc_draws`.
    """
    if whole[0] <= 0.55:
        return Estimate(None, why_not="the whole image tells the class hardly better than chance")
    return estimate_of((part - 0.5) / np.maximum(whole - 0.5, 0.01))


def estimate_of(draws: Floats) -> Estimate:
    """The value of all images with the interval of the draws (percentiles).

    Args:
        draws: (1 + draws,), the value of all images first.

    Source:
        Efron 1979.
    """
    low, high = np.nanpercentile(draws[1:], (50 - 50 * CONFIDENCE, 50 + 50 * CONFIDENCE))
    return Estimate(float(draws[0]), float(low), float(high))
