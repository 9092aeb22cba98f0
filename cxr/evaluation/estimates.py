"""A number with its 95 % interval, or the reason why it has none: proportions, and resamples."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri
from scipy.stats import t

from cxr.evaluation.effective_size import design_effect, independent_images, members_among
from cxr.text import percent

CONFIDENCE = 0.95
PERCENT = percent(CONFIDENCE)  # as texts and figures have it


def standard_errors(confidence: float) -> float:
    """How many standard errors an interval of a normal estimate reaches to each side.

    >>> round(standard_errors(0.95), 3)
    1.96
    """
    return float(ndtri(0.5 + confidence / 2))


Z = standard_errors(CONFIDENCE)


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
    def known(self) -> tuple[float, float, float] | None:
        """The value, the low and the high end; None where one of them is missing."""
        return None if self.value is None or self.low is None or self.high is None else (self.value, self.low, self.high)

    @property
    def text(self) -> str:
        """As tables show it.

        >>> Estimate(0.5, 0.237, 0.763, 5, 10).text, Estimate(None, why_not="no image").text
        ('0.500 (0.237-0.763)', '-')
        """
        if self.known:
            return "{:.3f} ({:.3f}-{:.3f})".format(*self.known)
        return "-" if self.value is None else f"{self.value:.3f}"

    @property
    def text_or_reason(self) -> str:
        """As tables show it, or the reason why there is no number.

        >>> Estimate(None, why_not="not known: no image of COVID").text_or_reason
        'not known: no image of COVID'
        """
        return self.why_not if self.value is None else self.text

    @property
    def signed(self) -> str:
        """A difference as tables show it.

        >>> Estimate(-0.2, -0.31, -0.06).signed
        '-0.200 (-0.310 to -0.060)'
        """
        if self.known:
            return "{:+.3f} ({:+.3f} to {:+.3f})".format(*self.known)
        return "-" if self.value is None else f"{self.value:+.3f}"

    @property
    def in_sentence(self) -> str:
        """As sentences have it, within or without brackets.

        >>> Estimate(0.5, 0.237, 0.763).in_sentence
        '0.500, 95 % interval 0.237 to 0.763'
        """
        if not self.known:
            return self.text
        value, low, high = self.known
        return f"{value:.3f}, {PERCENT} interval {low:.3f} to {high:.3f}"

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
    ends = {f"{name}_lo": estimate.low for name, estimate in estimates.items()}
    ends |= {f"{name}_hi": estimate.high for name, estimate in estimates.items()}
    return {name: end for name, end in ends.items() if end is not None}


def values_of(estimates: Mapping[str, Estimate]) -> dict[str, float]:
    """All values, each finite."""
    return {name: estimate.value for name, estimate in estimates.items() if estimate.value is not None}


def lacking(reason: str) -> Estimate:
    """A number that does not exist."""
    return Estimate(None, why_not=reason)


def no_image_of(*classes: str) -> str:
    """Why numbers of classes are missing.

    >>> no_image_of("COVID", "Viral Pneumonia")
    'not known: no image of COVID or Viral Pneumonia'
    """
    return f"not known: no image of {' or '.join(classes)}"


def proportion(count: int, of: int, why_not: str, confidence: float = CONFIDENCE) -> Estimate:
    """`count` of `of` images with the Wilson interval; without images there is no value, and `why_not` is the reason.

    >>> proportion(1, 4, "").text, proportion(0, 0, "no image is of this class").why_not
    ('0.250 (0.046-0.699)', 'no image is of this class')
    """
    if of == 0:
        return lacking(why_not)
    low, high = wilson_interval(count, of, confidence)
    return Estimate(int(count) / int(of), low, high, int(count), int(of))


def proportion_among(
    right: NDArray[np.bool_],
    among: NDArray[np.bool_],
    groups: Sequence[str] | None,
    why_not: str,
    confidence: float = CONFIDENCE,
) -> Estimate:
    """The share of `right` (n,) among some images, with an interval that counts images of a group as alike.

    With groups of several images it is Wilson's interval at the effective number of images: their number over the design effect
    (see `design_effect`), times (t with n - 1 / t with groups - 1 degrees of freedom)^2, as few groups estimate that effect poorly.
    A few errors don't show how alike images are, so neither end is nearer to 0 or 1 than it would be if all images were right, or
    wrong, and those of a group copies: see `independent_images`.

    Args:
        right: (n,), what is counted.
        among: (n,), the images that count.
        groups: the group of each of the n images; None, or one image a group: the plain Wilson interval.
        why_not: the reason for no value if no image counts.
        confidence: of the interval, 0 to 1.

    Source:
        Korn and Graubard, "Confidence intervals for proportions with small expected number of positive counts estimated from survey
        data", 1998; Dean and Pagano 2015 compare such intervals.
    """
    counted = right[among]
    n, plain = len(counted), proportion(int(counted.sum()), len(counted), why_not, confidence)
    members = members_among(groups, among)
    count = len(np.unique(members))
    if plain.value is None or count == n:
        return plain
    if count == 1:
        return replace(plain, low=0.0, high=1.0)
    effective = alike = independent_images(members)
    if 0 < plain.value < 1:
        many, few = t.ppf(0.5 + confidence / 2, [n - 1, count - 1])
        effective = n / design_effect(counted.astype(np.float64), members) * float(many / few) ** 2
    low, high = wilson_interval(plain.value * effective, effective, confidence)
    edge = wilson_interval(alike, alike, confidence)[0]
    return replace(plain, low=min(low, edge), high=max(high, 1 - edge))


def four_rates(
    called: NDArray[np.bool_], of_class: NDArray[np.bool_], groups: Sequence[str] | None, name: str, called_name: str
) -> dict[str, Estimate]:
    """Sensitivity, specificity, PPV and NPV.

    Args:
        called: (n,), which images are called of the class.
        of_class: (n,), which are.
    """
    return {
        "sensitivity": proportion_among(called, of_class, groups, f"no image is of {name}"),
        "specificity": proportion_among(~called, ~of_class, groups, f"every image is of {name}"),
        "ppv": proportion_among(of_class, called, groups, f"no image was called {called_name}"),
        "npv": proportion_among(~of_class, ~called, groups, f"every image was called {called_name}"),
    }


def unpaired_difference(first: Estimate, second: Estimate) -> Estimate:
    """`second` minus `first`, of different images, with an interval from theirs.

    From Wilson intervals it is Newcombe's hybrid score interval.

    Source:
        Zou and Donner, "Construction of confidence limits about effect measures: a general approach", 2008; Newcombe 1998.

    >>> unpaired_difference(Estimate(0.9, 0.8, 0.95), Estimate(0.7, 0.6, 0.8)).text
    '-0.200 (-0.312--0.059)'
    """
    if first.value is None or second.value is None:
        return lacking(first.why_not or second.why_not)
    value = second.value - first.value
    if not first.known or not second.known:
        return Estimate(value, why_not=first.why_not or second.why_not)
    (a, a_low, a_high), (b, b_low, b_high) = first.known, second.known
    return Estimate(value, value - math.hypot(b - b_low, a_high - a), value + math.hypot(b_high - b, a - a_low))


def wilson_interval(successes: float, trials: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Score interval of a proportion; (0, 1) without trials. Counts may be fractions: see `proportion_among`.

    Source:
        Wilson 1927.
    """
    if trials == 0:
        return 0.0, 1.0
    z = standard_errors(confidence)
    share, scale = successes / trials, 2 * (trials + z**2)
    centre = (2 * trials * share + z**2) / scale
    half = z / scale * math.sqrt(4 * trials * share * (1 - share) + z**2)
    return 0.0 if successes == 0 else centre - half, 1.0 if successes == trials else centre + half


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
    """The same number with an interval from the standard error of its resamples, symmetric on `scale`.

    Percentiles cover too seldom near the ends of a range: 88 % instead of 95 % for a macro AUC of 50 images. Resamples without a
    value are left out; where that is more than one in twenty there is no interval.

    Args:
        drawn: (resamples,), nan without a value.

    Source:
        The standard bootstrap interval after a transform (Efron and Tibshirani 1993, sections 6.2 and 12.6).
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
