"""The verdict of an audit: a light with stated thresholds, and the place of the shortcut."""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import norm

from cxr.audit.linear_probe import REFIT
from cxr.audit.probes.traits import NAMED
from cxr.evaluation.estimates import Estimate, Z
from cxr.evaluation.light import Light

# Share of above-chance performance that is left without the lungs, from which evidence counts, by the lower end of its interval.
SOME, STRONG = 0.2, 0.5
# "none" needs intervals that rule strong evidence out: they end by STRONG, and are no wider than 1, the whole range of a share
# (0: chance, 1: all). A wider one is of a ratio of two uncertain numbers, whose ends mean nothing.
WIDEST = 1.0
# Share that the trained model retains of its own on the background of another class, from which evidence is "some" at most.
RETAINED = 0.8
# A trait predicts the class from this AUC, if its distance from chance has this p (one-sided, corrected over all traits).
TRAIT_AUC, _P = 0.55, 0.01
_STRONG_AUC = 0.5 + STRONG / 2  # an AUC goes from 0.5 to 1 where a share goes from 0 to 1
# Exposure and resolution are measured inside, so where they differ the edge differs too: they come first unless its AUC is higher.
_GLOBAL, _AHEAD = ("exposure", "resolution"), 0.05


@dataclass(frozen=True)
class Verdict:
    """`places` are traits that predict the class by themselves, the strongest first."""

    light: Light
    places: list[str]


def verdict_of(left: Mapping[str, Estimate], traits: Mapping[str, Estimate], retained: Estimate | None = None) -> Verdict:
    """The verdict from the share that is left without the lungs, by fill, and the AUC of each trait that names a shortcut.

    `retained` is the share that the trained model retains on the background of another class; None: it was not measured on purpose.
    """
    places = _places(traits)
    least = least_left(left)
    if least is None:
        light = Light.UNKNOWN
    elif (least.low or 0) > STRONG:
        excused = retained is not None and _is_narrow(retained) and (retained.low or 0) >= RETAINED
        light = Light.SOME if excused else Light.STRONG
    elif (least.low or 0) > SOME or places:
        light = Light.SOME
    else:
        light = Light.UNKNOWN if doubts_of(least, traits, retained) else Light.NONE
    return Verdict(light, places)


def verdict_without_model(traits: Mapping[str, Estimate]) -> Verdict:
    """The verdict on images alone, from the AUC of each trait that names a shortcut, by the limits of an audit."""
    places = _places(traits)
    if any((traits[name].low or 0) > _STRONG_AUC for name in places):
        return Verdict(Light.STRONG, places)
    if places:
        return Verdict(Light.SOME, places)
    return Verdict(Light.UNKNOWN if not traits or any(map(_is_doubtful, traits.values())) else Light.NONE, places)


def least_left(left: Mapping[str, Estimate]) -> Estimate | None:
    """Of the shares by fill the least, so that no way of filling makes a shortcut by itself; None: none was measured."""
    measured = [share for share in left.values() if share.value is not None and share.low is not None]
    return min(measured, key=lambda share: share.low or 0, default=None)


def doubts_of(least: Estimate, traits: Mapping[str, Estimate], retained: Estimate | None) -> list[str]:
    """The regions and traits whose intervals rule no strong evidence out, by name."""
    doubts = [] if _is_narrow(least) and (least.high or 0) <= STRONG else ["lungs_removed"]
    doubts += [name for name, auc in traits.items() if _is_doubtful(auc)]
    if retained is not None and not (_is_narrow(retained) and (retained.high or 0) >= RETAINED):
        doubts.append("other_surroundings")
    return doubts


def _places(traits: Mapping[str, Estimate]) -> list[str]:
    """The traits that predict the class, the strongest first."""
    predicting = {name: auc.value for name, auc in traits.items() if auc.value is not None and _predicts(auc, len(traits))}
    return sorted(predicting, key=lambda name: -(predicting[name] + _AHEAD * (name in _GLOBAL)))


def _is_doubtful(auc: Estimate) -> bool:
    return not (_is_narrow(auc, WIDEST / 2) and (auc.high or 0) <= _STRONG_AUC)


def _is_narrow(estimate: Estimate, widest: float = WIDEST) -> bool:
    return estimate.low is not None and estimate.high is not None and estimate.high - estimate.low <= widest


def _predicts(auc: Estimate, among: int) -> bool:
    if auc.value is None or auc.low is None or auc.high is None:
        return False
    error = max(REFIT * (auc.high - auc.low) / (2 * Z), 1e-6)
    return auc.value >= TRAIT_AUC and (auc.value - 0.5) / error > norm.isf(_P / max(among, len(NAMED)))
