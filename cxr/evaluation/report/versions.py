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

    Raises:
        KeyError, TypeError, AttributeError: It claims an earlier version and does not match it.
    """
    if isinstance(document, dict) and document.get("version") == 1:
        document = _from_version_1(document)
    return _from_version_2(document) if isinstance(document, dict) and document.get("version") == 2 else document


def _from_version_2(document: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has other methods of comparison, more of saliency, calibration and net benefit, and no `missed` patients."""
    context, assessment, saliency = document["context"], dict(document["assessment"]), document["saliency"]
    differences = [_renamed({**row, "test": row["test"] or "bootstrap"}, test="method") for row in context["differences"]]
    if assessment["triage"]:
        workload = [_renamed(row, missed="delayed") for row in assessment["triage"]["workload"]]
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
    renamed = {**_renamed(document, facts="context", heat="saliency"), "version": 2}
    assessment = _renamed(renamed["assessment"], no_urgent="no_positive_class")
    assessment["operating_points"] = [
        {**point, "on_validation": _rates(point["on_validation"]), "evaluated": _rates(point["judged"])}
        for point in assessment["operating_points"]
    ]
    if assessment["triage"]:
        triage = assessment["triage"] = _renamed(assessment["triage"], urgent="positive_class", routine="normal_class")
        triage["zones"] = [_renamed(zone, of_urgent="of_positives") for zone in triage["zones"]]
        triage["workload"] = [_renamed(row, urgent_of_fast_track="positives_of_fast_track") for row in triage["workload"]]
    for subgroup in assessment["subgroups"]:
        subgroup["rates"] = {name: _rates(rates) for name, rates in subgroup["rates"].items()}
        subgroup["zones"] = {name: _renamed(counts, urgent="positives") for name, counts in subgroup["zones"].items()}
    figures = [{**figure, "section": _SECTIONS[figure["name"]]} for figure in renamed["figures"]]
    return {**renamed, "assessment": assessment, "figures": figures}


def _renamed(content: dict[str, Any], **names: str) -> dict[str, Any]:
    return {names.get(key, key): value for key, value in content.items()}


def _rates(rates: dict[str, Any]) -> dict[str, Any]:
    return _renamed(rates, called_urgent="called_positive")
