"""An audit as sentences and tables, for the terminal, the report and the reasons in audit/audit.json."""

from cxr.audit.audit import Audit
from cxr.audit.probes.out_of_distribution import SURE
from cxr.audit.probes.traits import TRAITS, named_aucs
from cxr.audit.regions import REGIONS
from cxr.audit.verdict import RETAINED, doubts_of, least_left
from cxr.evaluation.estimates import PERCENT, Estimate
from cxr.evaluation.light import Light
from cxr.evaluation.report.document import AuditSection, AuditTable
from cxr.evaluation.shift import GATE_PASSING
from cxr.text import percent

LIMITS = (
    "It looks at a sample of these images and at linear probes. It does not show that a model without evidence is right for the "
    "right reason, nor how it does on images of another hospital: cxr evaluate RUN data=... does."
)
_LEAK = 0.52  # of the AUC with shuffled labels, by the lower end of its interval


def account_of(audit: Audit) -> AuditSection:
    """The light, the reasons, what to do next, and every table."""
    control, leaks = _control(audit.shuffled_labels)
    return AuditSection(
        light=audit.verdict.light,
        verdict=f"{verdict_text(audit)}.",
        limits=LIMITS,
        advice=_advice(audit),
        alarms=[control] if leaks else [],
        tables=[_regions(audit), _traits(audit), _changes(audit), *([_gate(audit)] if audit.gate else [])],
        notes=[audit.masks_from, _saliency(audit), *_sources(audit), *([] if leaks else [control])],
    )


def _control(shuffled: Estimate) -> tuple[str, bool]:
    """What shuffled labels show, and whether labels leak."""
    if shuffled.low is None or shuffled.high is None:
        return f"No probe was fitted on shuffled labels: {shuffled.why_not}", False
    if shuffled.low > _LEAK:
        return f"A probe predicts shuffled labels with AUC {shuffled.text}: labels leak, so trust nothing here.", True
    below = "; folds put it below 0.5 rather than above (Parker et al. 2007)" if shuffled.high < 0.5 else ""
    return f"Labels do not leak: with shuffled ones a probe has AUC {shuffled.text}, not above chance{below}", False


def verdict_text(audit: Audit) -> str:
    """The light with its reasons, in a line without a full stop."""
    return f"{audit.verdict.light.label.capitalize()}: {'; '.join(reasons_of(audit))}"


def reasons_of(audit: Audit) -> list[str]:
    """The reasons of the verdict: what is in doubt, then what is left without the lungs and which traits predict the class."""
    least, traits, retained = least_left(audit.left_without_lungs), named_aucs(audit.traits), audit.kept
    if least is None:
        return [next((share.why_not for share in audit.left_without_lungs.values()), "nothing was measured")]
    reasons = []
    if audit.verdict.light is Light.UNKNOWN:
        reasons += [_doubt(name) for name in doubts_of(least, traits, retained)]
    if None not in (retained.value, retained.low, retained.high):
        value, low, high = _percentages(retained)
        above_chance = f"{value} % ({low} to {high} %) of what it tells above chance"
        reasons.append(f"the model keeps {above_chance} on the background of another class")
    value, low, high = _percentages(least)
    left = f"{value} % of what a linear probe tells above chance is left without the lungs ({PERCENT} interval {low} to {high} %)"
    places = [name for name in audit.verdict.places if name in traits]
    return [*reasons, left, *(f"{TRAITS[name].label} alone: AUC {traits[name].text}" for name in places[:2])]


def _doubt(name: str) -> str:
    """Why the interval of a region or trait rules no strong evidence out."""
    if name == "other_surroundings":
        return "on the background of another class the model may lose more than that"
    return f"the interval {'without the lungs' if name == 'lungs_removed' else f'of {TRAITS[name].label}'} is too wide"


def _percentages(share: Estimate) -> list[str]:
    """A share and the ends of its interval, from 0 up."""
    return [f"{100 * max(end or 0, 0):.0f}" for end in (share.value, share.low, share.high)]


def _advice(audit: Audit) -> str:
    if audit.verdict.light is Light.UNKNOWN:
        return "Next: give it more images of each class (audit=full looks at up to 5,000); nothing is known about shortcuts."
    if audit.verdict.light is Light.NONE or (audit.kept.low or 0) >= RETAINED:
        return "Next: evaluate the model on images of another hospital with cxr evaluate RUN data=..."
    remedies = [TRAITS[name].remedy for name in audit.verdict.places if name in TRAITS]
    narrow = f", or {remedies[0]} against the first trait" if remedies else ""
    return f"Next: train again with experiment=lungs_first{narrow}, and compare the two audits."


def _saliency(audit: Audit) -> str:
    shown = [share for share in audit.saliency if share.in_lungs is not None]
    even = [share.evenly for share in audit.saliency if share.evenly is not None]
    if not shown:
        return "Grad-CAM: no map has evidence for the class"
    lungs = ", ".join(f"{share.label} {share.in_lungs:.0%}" for share in shown)
    corners = ", ".join(f"{share.label} {share.in_corners:.0%}" for share in shown)
    return f"Grad-CAM in the lungs: {lungs}; an even map has {sum(even) / len(even):.0%}. In the corners: {corners}"


def _sources(audit: Audit) -> list[str]:
    if audit.sources is None:
        return [f"Sources: {audit.no_sources}"]
    within = [f"{label} {auc.text}" for label, auc in audit.sources.within.items() if auc.value is not None]
    inside = f"; within a class: {', '.join(within)}" if within else ""
    return [
        audit.sources.class_from_source,
        f"A probe predicts the source with AUC {audit.sources.told.text}{inside}",
        *(
            f"Within {contrast.source}, the model separates {' from '.join(contrast.classes)} with AUC {contrast.auc.text}"
            for contrast in audit.sources.contrasts
        ),
    ]


def _regions(audit: Audit) -> AuditTable:
    rows = []
    for result in audit.regions:
        label = REGIONS[result.region] + ("" if result.fill == "mean" else f", filled by {result.fill}")
        rows.append([label, result.probe.text, result.model_auc.text, result.model_accuracy.text])
    headings = ["Region", "Probe, macro AUC", "Model, macro AUC", "Model, accuracy"]
    return AuditTable("Regions: how well the class is predicted from each", headings, rows)


def _traits(audit: Audit) -> AuditTable:
    majority = f"{audit.traits[0].majority:.3f}" if audit.traits else "-"
    best_first = sorted(audit.traits, key=lambda result: -(result.auc.value or 0))
    return AuditTable(
        f"Traits: how well each alone predicts the class. Guessing the most frequent class has accuracy {majority}",
        ["Trait", "Macro AUC", "Accuracy"],
        [[TRAITS[result.trait].label, result.auc.text, result.accuracy.text] for result in best_first],
    )


def _changes(audit: Audit) -> AuditTable:
    return AuditTable(
        "Changes: what they do to held-out predictions, worst first",
        ["Change", "Other class", "Mean change", "Mostly to"],
        [[effect.name, effect.flipped.text, f"{effect.moved:.3f}", effect.towards] for effect in audit.changes],
    )


def _gate(audit: Audit) -> AuditTable:
    return AuditTable(
        f"Out-of-distribution images: how many pass a gate that lets {percent(GATE_PASSING)} of known ones pass, and of how many "
        f"the model is sure ({percent(SURE)})",
        ["Kind", "Pass", "Sure"],
        [[trial.kind, trial.passed.text, trial.confident.text] for trial in audit.gate],
    )
