"""Conversion of reports of earlier versions."""

from typing import Any

# The section of each figure in version 1, which did not store it.
_SECTIONS = {
    **dict.fromkeys(("confusion_matrix", "sensitivity_specificity", "roc_curves", "pr_curves"), "classes"),
    **dict.fromkeys(("triage_workload", "predictive_values", "decision_curve"), "triage"),
    **dict.fromkeys(("grad_cam", "heat_by_class"), "saliency"),
    **{"operating_points": "points", "reliability": "calibration", "subgroups": "subgroups", "failures": "failures"},
    **{"vs_baseline": "baseline", "training_curves": "run"},
}


def upgraded(document: Any) -> Any:
    """A `report.json` of any version as one of version 3; anything else as it is.

    Raises `KeyError`, `TypeError` or `AttributeError` for one that claims an earlier version and does not match it.
    """
    if not isinstance(document, dict):
        return document
    found = _from_version_1(document) if document.get("version") == 1 else document
    return _from_version_2(found) if found.get("version") == 2 else found


def _from_version_2(document: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has other methods of comparison, more of saliency, calibration and net benefit, and no `missed` patients."""
    context, assessment, saliency = document["context"], dict(document["assessment"]), document["saliency"]
    differences = [
        {**{key: value for key, value in each.items() if key != "test"}, "method": each["test"] or "bootstrap"}
        for each in context["differences"]
    ]
    if assessment["triage"]:
        workload = [_renamed(each, missed="delayed") for each in assessment["triage"]["workload"]]
        assessment["triage"] = {**assessment["triage"], "workload": workload}
    if assessment["decision_curve"]:
        assessment["decision_curve"] = {**assessment["decision_curve"], "low": [], "high": []}
    if saliency:
        stages = [{**stage, "spread": None, "images": saliency["checked"]} for stage in saliency["randomisation"]]
        saliency = {**saliency, "randomisation": stages, "regions": [], "evenly": (0.0, 0.0)}
    return {
        **document,
        "version": 3,
        "context": {**context, "differences": differences},
        "assessment": {**assessment, "positive_calibration": None, "positive_calibration_after": None},
        "saliency": saliency,
    }


def _from_version_1(document: dict[str, Any]) -> dict[str, Any]:
    """Version 2 renamed some keys."""
    found = {**_renamed(document, facts="context", heat="saliency"), "version": 2}
    assessment = _renamed(found["assessment"], no_urgent="no_positive_class")
    assessment["operating_points"] = [_point(point) for point in assessment["operating_points"]]
    assessment["triage"] = _triage(assessment["triage"]) if assessment["triage"] else None
    assessment["subgroups"] = [_subgroup(each) for each in assessment["subgroups"]]
    figures = [{**figure, "section": _SECTIONS[figure["name"]]} for figure in found["figures"]]
    return {**found, "assessment": assessment, "figures": figures}


def _renamed(said: dict[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in said.items()}


def _point(point: dict[str, Any]) -> dict[str, Any]:
    found = _renamed(point, judged="evaluated")
    return {**found, **{part: _rates(found[part]) for part in ("on_validation", "evaluated")}}


def _rates(rates: dict[str, Any]) -> dict[str, Any]:
    return _renamed(rates, called_urgent="called_positive")


def _triage(triage: dict[str, Any]) -> dict[str, Any]:
    found = _renamed(triage, urgent="positive_class", routine="normal_class")
    found["zones"] = [_renamed(zone, of_urgent="of_positives") for zone in found["zones"]]
    found["workload"] = [_renamed(each, urgent_of_fast_track="positives_of_fast_track") for each in found["workload"]]
    return found


def _subgroup(subgroup: dict[str, Any]) -> dict[str, Any]:
    rates = {name: _rates(each) for name, each in subgroup["rates"].items()}
    zones = {name: _renamed(counts, urgent="positives") for name, counts in subgroup["zones"].items()}
    return {**subgroup, "rates": rates, "zones": zones}
