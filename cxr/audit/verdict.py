"""The verdict of an audit: a light with stated thresholds, the place of the shortcut, and what it does not establish."""

from collections.abc import Mapping
from dataclasses import dataclass

from scipy.stats import norm

from cxr.audit.traits import NAMED, TRAITS
from cxr.evaluation.estimates import PERCENT, Estimate, Z

# Share of above-chance performance that is left without the lungs, from which evidence counts, by the lower end of its interval.
SOME, STRONG = 0.2, 0.5
# Share that the trained model keeps of its own with the surroundings of another class, from which evidence is "some" at most.
KEPT = 0.8
# A trait tells the class from this AUC, and this many standard errors above chance: one-sided p 0.01 over all of them.
TRAIT_AUC, TRAIT_ERRORS = 0.55, norm.isf(0.01 / len(NAMED))
# Exposure and resolution are measured inside, so where they differ the edge differs too: they come first unless it tells more.
_GLOBAL, _AHEAD = ("exposure", "resolution"), 0.05
LIGHTS = {
    "none": "no evidence of a shortcut",
    "some": "some evidence of a shortcut",
    "strong": "strong evidence of a shortcut",
    "unknown": "not known",
}
LIMITS = (
    "It looks at a sample of these images and at linear probes. It does not show that a model without evidence is right for the "
    "right reason, nor how it does on images of another hospital: cxr evaluate RUN data=... does."
)


@dataclass(frozen=True)
class Verdict:
    """`light` is a name of `LIGHTS`; `places` are traits that tell the class by themselves, the strongest first."""

    light: str
    reasons: list[str]
    places: list[str]
    limits: str = LIMITS

    @property
    def in_words(self) -> str:
        """In a line.

        >>> Verdict("some", ["31 % is left without lungs"], ["corners"]).in_words
        'Some evidence of a shortcut: 31 % is left without lungs'
        """
        return f"{LIGHTS[self.light].capitalize()}: {'; '.join(self.reasons)}"


def verdict_of(left: Mapping[str, Estimate], traits: Mapping[str, Estimate], kept: Estimate | None = None) -> Verdict:
    """From the share that is left without the lungs, by fill, and the AUC of each trait that names a shortcut.

    `kept` is the share that the trained model keeps where lungs lie on the surroundings of another class.

    Of several fills the one that leaves least counts, so that no way of filling makes a shortcut by itself.
    """
    measured = [each for each in left.values() if each.value is not None and each.low is not None]
    telling = {name: each for name, each in traits.items() if _tells(each)}
    places = sorted(telling, key=lambda name: -((telling[name].value or 0) + _AHEAD * (name in _GLOBAL)))
    if not measured:
        why = next((each.why_not for each in left.values()), "nothing was measured")
        return Verdict("unknown", [why], places)
    least = min(measured, key=lambda each: each.low or 0)
    value, low, high = (f"{100 * max(each or 0, 0):.0f}" for each in (least.value, least.low, least.high))
    share = f"{value} % of what a linear probe tells above chance is left without the lungs ({PERCENT} interval {low} to {high} %)"
    reasons = [share, *(f"{TRAITS[name]} alone: AUC {telling[name].in_words}" for name in places[:2])]
    lowest = least.low or 0
    light = "strong" if lowest > STRONG else "some" if lowest > SOME or places else "none"
    if kept is not None and kept.value is not None and kept.low is not None and kept.high is not None:
        value, low, high = (f"{100 * max(each, 0):.0f}" for each in (kept.value, kept.low, kept.high))
        own = f"the model keeps {value} % ({low} to {high} %) of what it tells above chance on the surroundings of another class"
        reasons, light = [own, *reasons], "some" if light == "strong" and kept.low >= KEPT else light
    return Verdict(light, reasons, places)


def _tells(auc: Estimate) -> bool:
    if auc.value is None or auc.low is None or auc.high is None:
        return False
    error = max((auc.high - auc.low) / (2 * Z), 1e-6)
    return auc.value >= TRAIT_AUC and (auc.value - 0.5) / error > TRAIT_ERRORS
