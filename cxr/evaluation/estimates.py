"""A number with its 95 % interval, or the reason why it has none; proportions and areas under the ROC curve."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import binomtest, norm, rankdata

CONFIDENCE = 0.95
Z = float(norm.ppf(0.5 + CONFIDENCE / 2))


@dataclass(frozen=True)
class Estimate:
    """A number, finite, with the ends of its 95 % interval; `why_not` gives the reason if the number or its interval is missing.

    Of a proportion, `count` of `of` images.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int | None = None
    of: int | None = None
    why_not: str = ""

    @property
    def in_words(self) -> str:
        """As tables show it.

        >>> Estimate(0.5, 0.237, 0.763, 5, 10).in_words, Estimate(None, why_not="no image").in_words
        ('0.500 (0.237-0.763)', '-')
        """
        if self.value is None:
            return "-"
        return (
            f"{self.value:.3f}" if self.low is None or self.high is None else f"{self.value:.3f} ({self.low:.3f}-{self.high:.3f})"
        )

    @property
    def in_sentence(self) -> str:
        """As sentences have it, within or without brackets.

        >>> Estimate(0.5, 0.237, 0.763).in_sentence
        '0.500, 95 % interval 0.237 to 0.763'
        """
        if self.value is None or self.low is None or self.high is None:
            return self.in_words
        return f"{self.value:.3f}, 95 % interval {self.low:.3f} to {self.high:.3f}"

    @property
    def out_of(self) -> str:
        """The images behind a proportion: `5/10`; empty for other numbers."""
        return "" if self.of is None else f"{self.count:,}/{self.of:,}"


ENDS = ("_lo", "_hi", "_p")  # of the names of an interval's ends, and of a p-value
_APART = "interval/"


def interval_name(name: str) -> str:
    """The name in the store of an end of an interval: in groups of their own, as each group is a section of MLflow's charts.

    >>> interval_name("test/covid/auc_lo")
    'interval/test/covid/auc_lo'
    """
    return f"{_APART}{name}"


def without_apart(name: str) -> str:
    """The inverse of `interval_name`; other names, and those of version 0.1, stay.

    >>> without_apart("interval/test/accuracy_hi"), without_apart("test/accuracy")
    ('test/accuracy_hi', 'test/accuracy')
    """
    return name.removeprefix(_APART)


def ends_of(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """The ends of intervals, as NAME_lo and NAME_hi."""
    ends = {f"{name}_lo": each.low for name, each in estimates.items()}
    ends |= {f"{name}_hi": each.high for name, each in estimates.items()}
    return {name: end for name, end in ends.items() if end is not None}


def values_of(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """All values, each finite."""
    return {name: each.value for name, each in estimates.items() if each.value is not None}


def lacking(reason: str) -> Estimate:
    """A number that does not exist."""
    return Estimate(None, why_not=reason)


def proportion(count: int, of: int, why_not: str) -> Estimate:
    """`count` of `of` images with the Wilson interval; without images there is no value, and `why_not` is the reason.

    >>> proportion(1, 4, "").in_words, proportion(0, 0, "no image is of this class").why_not
    ('0.250 (0.046-0.699)', 'no image is of this class')
    """
    if of == 0:
        return lacking(why_not)
    low, high = wilson_interval(count, of)
    return Estimate(int(count) / int(of), low, high, int(count), int(of))


@lru_cache(maxsize=4096)  # scipy works out a p-value each time
def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    interval = binomtest(int(successes), int(trials)).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def area_under_roc(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> Estimate:
    """AUC of scores (n,) for images that are positive or not (n,), with DeLong's interval on the logit scale.

    The variance is DeLong's; the interval is symmetric in log(AUC / (1 - AUC)) (Pepe, "The Statistical Evaluation of Medical
    Tests", 2003, section 5.2.5), as the plain one covers too seldom near 1: 84 % instead of 95 % for an AUC of 0.95 and 50 images.
    Where all images of the class are above, or below, all others, the variance is 0: then the interval is Wilson's for as many
    independent pairs as the smaller of the two sides has images.
    """
    m, n = int(positive.sum()), int((~positive).sum())
    if m == 0 or n == 0:
        return lacking("no image is of this class" if m == 0 else "every image is of this class")
    above, below = placements(positive, scores)
    auc = float(above.mean())
    if auc in (0.0, 1.0):
        low, high = wilson_interval(round(auc * min(m, n)), min(m, n))
        return Estimate(auc, low, high)
    if m < 2 or n < 2:
        return Estimate(auc, why_not="an interval needs two images of this class and two others")
    spread = math.sqrt(above.var(ddof=1) / m + below.var(ddof=1) / n)
    if spread < 1e-12:
        return Estimate(auc, why_not="the scores tie, so DeLong's variance is 0")
    half = Z * spread / (auc * (1 - auc))
    return Estimate(auc, float(expit(logit(auc) - half)), float(expit(logit(auc) + half)))


def placements(positive: NDArray[np.bool_], scores: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each positive the share of negatives below it, (m,), and for each negative the share of positives above it, (n,).

    Ties count half; the mean of either is the AUC (DeLong et al. 1988, by the ranks of Sun and Xu 2014).
    """
    m, n = int(positive.sum()), int((~positive).sum())
    ranks = rankdata(scores)
    above = (ranks[positive] - rankdata(scores[positive])) / n
    below = 1 - (ranks[~positive] - rankdata(scores[~positive])) / m
    return above, below


@dataclass(frozen=True)
class Scale:
    """A scale on which a statistic is about symmetric: a transform, its inverse and its slope."""

    there: Callable[[float], float]
    back: Callable[[float], float]
    slope: Callable[[float], float]
    ends: tuple[float, float]  # of the range, where the transform is infinite


LOGIT = Scale(lambda v: float(logit(v)), lambda v: float(expit(v)), lambda v: 1 / (v * (1 - v)), (0.0, 1.0))
FISHER = Scale(math.atanh, math.tanh, lambda v: 1 / (1 - v * v), (-1.0, 1.0))
LOG = Scale(math.log, math.exp, lambda v: 1 / v, (0.0, math.inf))


def with_interval(estimate: Estimate, drawn: NDArray[np.float64], scale: Scale) -> Estimate:
    """The same number with an interval from the standard error of its resamples (resamples,), symmetric on `scale`.

    That is the standard bootstrap interval after a transform (Efron and Tibshirani 1993, sections 6.2 and 12.6). Percentiles cover
    too seldom near the ends of a range: 88 % instead of 95 % for a macro AUC of 50 images. Resamples without a value are left
    out; where that is more than one in twenty there is no interval.
    """
    if estimate.value is None:
        return estimate
    known = drawn[np.isfinite(drawn)]
    if len(known) < 0.95 * len(drawn):
        missing = 1 - len(known) / len(drawn)
        return replace(estimate, why_not=f"no interval: {missing:.0%} of the resamples lack a class, so have no value")
    error = float(known.std())
    if error < 1e-12 or not scale.ends[0] < estimate.value < scale.ends[1]:
        return replace(estimate, why_not="no interval: the value is at the end of its range, or all resamples agree")
    place, half = scale.there(estimate.value), Z * error * scale.slope(estimate.value)
    return replace(estimate, low=scale.back(place - half), high=scale.back(place + half))
