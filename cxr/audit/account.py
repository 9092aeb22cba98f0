"""An audit in sentences and tables, for the terminal and the report alike."""

from cxr.audit.audit import Audit
from cxr.audit.gate import SURE
from cxr.audit.regions import REGIONS
from cxr.audit.traits import TRAITS
from cxr.audit.verdict import KEPT
from cxr.evaluation.light import Light
from cxr.evaluation.report.document import AuditSection, AuditTable
from cxr.evaluation.shift import GATE_PASSING
from cxr.text import percent

_LEAK = 0.52  # of the AUC with shuffled labels, by the lower end of its interval
# What to try against a trait that tells the class.
_REMEDIES = {
    "corners": "prepare=erased",
    "marks": "prepare=erased",
    "border": "prepare=thorax_crop",
    "exposure": "prepare=equalised",
    "resolution": "augment.resolution=0.7",
    "file": "prepare=thorax_crop",
    "jpeg": "augment.resolution=0.7",
}


def account_of(found: Audit) -> AuditSection:
    """The light, the reasons, what to do next, and every table."""
    return AuditSection(
        light=found.verdict.light,
        verdict=f"{found.verdict.text}.",
        limits=found.verdict.limits,
        advice=_advice(found),
        alarms=_alarms(found),
        tables=[_regions(found), _traits(found), _changes(found), *([_gate(found)] if found.gate else [])],
        notes=[found.masks_from, _saliency(found), *_sources(found), _control(found)],
    )


def _advice(found: Audit) -> str:
    if found.verdict.light is Light.UNKNOWN:
        return "Next: give it more images of each class (audit=full looks at up to 5,000); nothing is known about shortcuts."
    if found.verdict.light is Light.NONE or (found.kept.low or 0) >= KEPT:
        return "Next: evaluate the model on images of another hospital with cxr evaluate RUN data=..."
    first = next((_REMEDIES[each] for each in found.verdict.places if each in _REMEDIES), "")
    narrow = f", or {first} against what stands first" if first else ""
    return f"Next: train again with experiment=lungs_first{narrow}, and compare the two audits."


def _alarms(found: Audit) -> list[str]:
    if (found.shuffled_labels.low or 0) <= _LEAK:
        return []
    return [f"A probe tells shuffled labels with AUC {found.shuffled_labels.text}: labels leak, so trust nothing here."]


def _saliency(found: Audit) -> str:
    shares = [f"{each.label} {each.in_lungs:.0%}" for each in found.saliency if each.in_lungs is not None]
    even = [each.evenly for each in found.saliency if each.evenly is not None]
    if not shares:
        return "Grad-CAM: no map has evidence for the class"
    corners = [f"{each.label} {each.in_corners:.0%}" for each in found.saliency if each.in_corners is not None]
    inside = f"Grad-CAM in the lungs: {', '.join(shares)}; an even map has {sum(even) / len(even):.0%}"
    return f"{inside}. In the corners: {', '.join(corners)}"


def _sources(found: Audit) -> list[str]:
    if found.sources is None:
        return [f"Sources: {found.no_sources}"]
    within = [f"{label} {each.text}" for label, each in found.sources.within.items() if each.value is not None]
    inside = f"; within a class: {', '.join(within)}" if within else ""
    return [
        found.sources.class_from_source,
        f"A probe tells the source with AUC {found.sources.told.text}{inside}",
        *(
            f"Within {each.source}, the model tells {' from '.join(each.classes)} with AUC {each.auc.text}"
            for each in found.sources.contrasts
        ),
    ]


def _control(found: Audit) -> str:
    return f"With shuffled labels a probe tells the class with AUC {found.shuffled_labels.text}; 0.5 is chance"


def _regions(found: Audit) -> AuditTable:
    return AuditTable(
        "Regions: how well the class is told from each",
        ["Region", "Probe, macro AUC", "Model, macro AUC", "Model, accuracy"],
        [
            [
                REGIONS[each.region] + ("" if each.fill == "mean" else f", filled by {each.fill}"),
                each.probe.text,
                each.model_auc.text,
                each.model_accuracy.text,
            ]
            for each in found.regions
        ],
    )


def _traits(found: Audit) -> AuditTable:
    majority = f"{found.traits[0].majority:.3f}" if found.traits else "-"
    best_first = sorted(found.traits, key=lambda each: -(each.auc.value or 0))
    return AuditTable(
        f"Traits: how well each alone tells the class. Guessing the most frequent class has accuracy {majority}",
        ["Trait", "Macro AUC", "Accuracy"],
        [[TRAITS[each.trait], each.auc.text, each.accuracy.text] for each in best_first],
    )


def _changes(found: Audit) -> AuditTable:
    return AuditTable(
        "Changes: what they do to held-out predictions, worst first",
        ["Change", "Other class", "Mean change", "Mostly to"],
        [[each.name, each.flipped.text, f"{each.moved:.3f}", each.towards] for each in found.changes],
    )


def _gate(found: Audit) -> AuditTable:
    return AuditTable(
        f"Odd images: how many pass a gate that lets {percent(GATE_PASSING)} of known ones pass, and how many the model is sure of "
        f"({percent(SURE)})",
        ["Kind", "Pass", "Sure"],
        [[each.kind, each.passed.text, each.confident.text] for each in found.gate],
    )
