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
    """A `report.json` of any version as one of version 2, which renamed some keys of version 1; anything else as it is.

    Raises `KeyError`, `TypeError` or `AttributeError` for one that claims version 1 and does not match it.
    """
    if not isinstance(document, dict) or document.get("version") != 1:
        return document
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
