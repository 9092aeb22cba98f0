"""The verdict of an audit: a light with stated thresholds, the place of the shortcut, and what it does not establish."""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import norm

from cxr.audit.traits import NAMED, TRAITS
from cxr.evaluation.estimates import PERCENT, Estimate, Z
from cxr.evaluation.light import Light

# Share of above-chance performance that is left without the lungs, from which evidence counts, by the lower end of its interval.
SOME, STRONG = 0.2, 0.5
# "none" needs intervals that rule strong evidence out: they end by STRONG, and are no wider than 1, the whole range of a share
# (0: chance, 1: all). A wider one is of a ratio of two uncertain numbers, whose ends mean nothing.
WIDEST = 1.0
# Share that the trained model keeps of its own on the background of another class, from which evidence is "some" at most.
KEPT = 0.8
# A trait tells the class from this AUC, and this many standard errors above chance: one-sided p 0.01 over all of them.
TRAIT_AUC, TRAIT_ERRORS = 0.55, norm.isf(0.01 / len(NAMED))
# Exposure and resolution are measured inside, so where they differ the edge differs too: they come first unless it tells more.
_GLOBAL, _AHEAD = ("exposure", "resolution"), 0.05
LIMITS = (
    "It looks at a sample of these images and at linear probes. It does not show that a model without evidence is right for the "
    "right reason, nor how it does on images of another hospital: cxr evaluate RUN data=... does."
)


@dataclass(frozen=True)
class Verdict:
    """`places` are traits that predict the class by themselves, the strongest first."""

    light: Light
    reasons: list[str]
    places: list[str]
    limits: str = LIMITS

    @property
    def text(self) -> str:
        """In a line.

        >>> Verdict(Light.SOME, ["31 % is left without lungs"], ["corners"]).text
        'Some evidence of a shortcut: 31 % is left without lungs'
        """
        return f"{self.light.label.capitalize()}: {'; '.join(self.reasons)}"


def verdict_of(left: Mapping[str, Estimate], traits: Mapping[str, Estimate], kept: Estimate | None = None) -> Verdict:
    """The verdict from the share that is left without the lungs, by fill, and the AUC of each trait that names a shortcut.

    Of several fills the one that leaves least counts, so that no way of filling makes a shortcut by itself. `kept` is the share
    that the trained model keeps where lungs lie on the background of another class; None: it was not measured on purpose.
    """
    measured = [share for share in left.values() if share.value is not None and share.low is not None]
    telling = {name: auc for name, auc in traits.items() if _tells(auc)}
    places = sorted(telling, key=lambda name: -((telling[name].value or 0) + _AHEAD * (name in _GLOBAL)))
    if not measured:
        why = next((share.why_not for share in left.values()), "nothing was measured")
        return Verdict(Light.UNKNOWN, [why], places)
    least = min(measured, key=lambda share: share.low or 0)
    value, low, high = (f"{100 * max(end or 0, 0):.0f}" for end in (least.value, least.low, least.high))
    share = f"{value} % of what a linear probe tells above chance is left without the lungs ({PERCENT} interval {low} to {high} %)"
    reasons = [share, *(f"{TRAITS[name]} alone: AUC {telling[name].text}" for name in places[:2])]
    if kept is not None and kept.value is not None and kept.low is not None and kept.high is not None:
        value, low, high = (f"{100 * max(end, 0):.0f}" for end in (kept.value, kept.low, kept.high))
        own = f"the model keeps {value} % ({low} to {high} %) of what it tells above chance on the background of another class"
        reasons = [own, *reasons]
    if (least.low or 0) > STRONG:
        excused = kept is not None and _is_narrow(kept) and (kept.low or 0) >= KEPT
        return Verdict(Light.SOME if excused else Light.STRONG, reasons, places)
    if (least.low or 0) > SOME or places:
        return Verdict(Light.SOME, reasons, places)
    doubts = [] if _is_narrow(least) and (least.high or 0) <= STRONG else ["the interval without the lungs is too wide"]
    for name, auc in traits.items():  # an AUC goes from 0.5 to 1 where a share goes from 0 to 1
        if not (_is_narrow(auc, WIDEST / 2) and (auc.high or 0) <= 0.5 + STRONG / 2):
            doubts.append(f"the interval of {TRAITS[name]} is too wide")
    if kept is not None and not (_is_narrow(kept) and (kept.high or 0) >= KEPT):
        doubts.append("on the background of another class the model may lose more than that")
    return Verdict(Light.UNKNOWN if doubts else Light.NONE, [*doubts, *reasons], places)


def _is_narrow(estimate: Estimate, widest: float = WIDEST) -> bool:
    return estimate.low is not None and estimate.high is not None and estimate.high - estimate.low <= widest


def _tells(auc: Estimate) -> bool:
    if auc.value is None or auc.low is None or auc.high is None:
        return False
    error = max((auc.high - auc.low) / (2 * Z), 1e-6)
    return auc.value >= TRAIT_AUC and (auc.value - 0.5) / error > TRAIT_ERRORS
