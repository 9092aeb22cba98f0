"""The difference of two paired proportions: Tango's score interval, and the score test that agrees with it."""

import math

from scipy.optimize import brentq
from scipy.stats import norm

from cxr.evaluation.estimates import Z


def paired_proportions(gained: float, lost: float, of: float) -> tuple[float, float, float]:
    """Low and high end of the 95 % interval of (gained - lost) / of, and the two-sided p-value that it is 0.

    `gained` of `of` pairs succeed only the second time, `lost` only the first time. The interval holds the differences that the
    score test does not reject, so it leaves out 0 where p < 0.05 and only there. At 0 the test is McNemar's of 1947, without
    continuity correction. Counts may be fractions: see `design_effect`.

    Source:
        Tango, "Equivalence test and confidence interval for the difference in proportions for the paired-sample design", 1998;
        without continuity correction as Fagerland, Lydersen and Laake 2013 recommend.

    >>> [round(number, 3) for number in paired_proportions(12, 2, 50)]
    [0.061, 0.345, 0.008]
    """
    seen = (gained - lost) / of

    def score(difference: float) -> float:
        """The score statistic of a difference, which falls as the difference rises."""
        b = (2 * of - gained + lost) * difference - gained - lost
        c = -lost * difference * (1 - difference)
        only_first = (math.sqrt(max(b * b - 8 * of * c, 0.0)) - b) / (4 * of)
        variance = of * (2 * only_first + difference * (1 - difference))
        gap = gained - lost - of * difference
        return gap / math.sqrt(variance) if variance > 1e-12 else math.copysign(math.inf, gap) if abs(gap) > 1e-9 else 0.0

    def end(limit: float, at: float) -> float:
        inside = limit * (1 - 1e-9)
        return limit if abs(score(inside)) <= Z else float(brentq(lambda number: score(number) - at, inside, seen, xtol=1e-12))

    statistic = (gained - lost) / math.sqrt(gained + lost) if gained + lost else 0.0
    return end(-1.0, Z), end(1.0, -Z), float(2 * norm.sf(abs(statistic)))
