"""The difference of a metric between two sets of different images."""

import math

from cxr.evaluation.estimates import Estimate, lacking


def unpaired_difference(first: Estimate, second: Estimate) -> Estimate:
    """`second` minus `first`, with an interval from theirs.

    By the method of variance estimates recovery (Zou and Donner, "Construction of confidence limits about effect measures: a
    general approach", 2008). From Wilson intervals it is Newcombe's hybrid score interval (1998, method 10).

    >>> unpaired_difference(Estimate(0.9, 0.8, 0.95), Estimate(0.7, 0.6, 0.8)).text
    '-0.200 (-0.312--0.059)'
    """
    if first.value is None or second.value is None:
        return lacking(first.why_not or second.why_not)
    value = second.value - first.value
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return Estimate(value, why_not=first.why_not or second.why_not)
    low = value - math.hypot(second.value - second.low, first.high - first.value)
    high = value + math.hypot(second.high - second.value, first.value - first.low)
    return Estimate(value, low, high)
