"""Figures of decisions: operating points, triage zones, predictive values and net benefit of the positive class."""

import numpy as np
from matplotlib.figure import Figure

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.decision_curve import DecisionCurve
from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.figures.drawing import COLOURS, LINES, WIDE, Drawn, headline, one_axes, rates_figure
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.triage import PATIENTS, Triage
from cxr.text import part_in_full

RULES = {
    "argmax": "Most probable class",
    "sensitivity_target": "Sensitivity target",
    "specificity_target": "Specificity target",
    "least_cost": "Least expected cost",
    "calibrated": "Calibrated class",
}
ZONE_NAMES = {"fast_track": "FAST-TRACK", "review": "REVIEW", "routine": "ROUTINE"}


def decision_figures(evaluated: Predictions, assessment: Assessment) -> list[Drawn]:
    """Four figures; only the first where all images are of the positive class; none without images of it."""
    if assessment.triage is None or assessment.without_positives:
        return []
    positive, part = assessment.triage.positive_class, part_in_full(assessment.part)
    points = "; ".join(
        f"{RULES[point.rule.name]}: sensitivity {point.evaluated.sensitivity.text}, specificity {point.evaluated.specificity.text}"
        for point in assessment.operating_points
    )
    delayed = "; ".join(f"{expected.delayed.text} at {expected.prevalence:.0%}" for expected in assessment.triage.workload)
    values = "; ".join(f"{RULES[row.rule]} at {row.prevalence:.0%}: {row.ppv.text}" for row in assessment.triage.predictive_values)
    chosen = "the evaluated images" if assessment.chosen_on_same else "validation"
    chart = Drawn(
        "operating_points",
        "points",
        points_figure(assessment),
        f"Operating points for {positive}, chosen on {chosen}, with {PERCENT} Wilson intervals; dashed: targets",
        f"Sensitivity and specificity for {positive} on {assessment.images:,} {part} images. {points}.",
    )
    if assessment.decision_curve is None:
        return [chart]
    return [
        chart,
        Drawn(
            "triage_workload",
            "triage",
            workload_figure(assessment.triage, assessment.images),
            f"Expected patients of {PATIENTS:,} in each zone by prevalence of {positive}; above the bars {positive} delayed in "
            f"ROUTINE, with {PERCENT} interval",
            f"Stacked bars. Patients with {positive} in the routine zone, of {PATIENTS:,}: {delayed}.",
        ),
        Drawn(
            "predictive_values",
            "triage",
            values_figure(assessment.triage, assessment.images),
            f"PPV and NPV for {positive} by prevalence, for each operating point; bands join the ends of both intervals",
            f"PPV: {values}.",
        ),
        Drawn(
            "decision_curve",
            "calibration",
            curve_figure(assessment.decision_curve, positive, f"{part} (n = {assessment.images:,})"),
            f"Net benefit of acting on calibrated probabilities of {positive}, with {PERCENT} band, at the prevalence of these "
            f"images ({assessment.decision_curve.prevalence:.1%}), against treating all and treating none",
            f"Decision curve. {_helps(assessment.decision_curve)}",
        ),
    ]


def points_figure(assessment: Assessment) -> Figure:
    """Sensitivity and specificity of each rule on the evaluated images, with the targets."""
    points = assessment.operating_points
    assert assessment.triage is not None
    title = f"Operating points for {assessment.triage.positive_class}, {part_in_full(assessment.part)} (n = {assessment.images:,})"
    rows, targets = [], {}
    for row, point in enumerate(points):
        name = RULES[point.rule.name]
        if point.rule.target is not None:
            name = f"{name}\n{point.rule.target:g}"
            targets[row, ("sensitivity", "specificity").index(point.rule.aim)] = point.rule.target
        rows.append((name, point.evaluated.sensitivity, point.evaluated.specificity))
    return rates_figure(title, rows, targets)


def workload_figure(triage: Triage, images: int) -> Figure:
    """Patients by zone and prevalence."""
    title = (
        f"Triage of {PATIENTS:,} patients by prevalence of {triage.positive_class} (from n = {images:,}); above: delayed in ROUTINE"
    )
    figure, axes = one_axes(title, (WIDE, 4.0))
    bottoms, places = np.zeros(len(triage.workload)), range(len(triage.workload))
    for zone, colour in (("fast_track", COLOURS[1]), ("review", COLOURS[4]), ("routine", COLOURS[5])):
        heights = np.array([getattr(expected, zone).value or 0.0 for expected in triage.workload])
        axes.bar(places, heights, bottom=bottoms, color=colour, width=0.62, label=ZONE_NAMES[zone], edgecolor="white")
        for place, height, bottom in zip(places, heights, bottoms, strict=True):
            if height >= 45:
                axes.text(place, bottom + height / 2, f"{height:.0f}", ha="center", va="center", fontsize=10)
        bottoms += heights
    for place, expected in zip(places, triage.workload, strict=True):
        text = "{:.1f}\n({:.1f}-{:.1f})".format(*expected.delayed.known) if expected.delayed.known else "-"
        axes.text(place, 1012, text, ha="center", va="bottom", fontsize=8)
    axes.set_xticks(places, [f"{expected.prevalence:.0%}" for expected in triage.workload])
    axes.set_ylim(0, 1130)
    axes.set_xlabel(f"Prevalence of {triage.positive_class} (share of patients)")
    axes.set_ylabel(f"Expected patients of {PATIENTS:,}")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def values_figure(triage: Triage, images: int) -> Figure:
    """PPV and NPV by prevalence, a line a rule."""
    figure = Figure(figsize=(WIDE, 3.5), layout="constrained")
    headline(figure, f"Predictive values for {triage.positive_class} by prevalence (from n = {images:,})")
    for axes, key in zip(figure.subplots(1, 2), ("ppv", "npv"), strict=True):
        for index, rule in enumerate(dict.fromkeys(row.rule for row in triage.predictive_values)):
            rows = [(row.prevalence, getattr(row, key)) for row in triage.predictive_values if row.rule == rule]
            known = np.array([(x, y.value, y.low, y.high) for x, y in rows if y.value is not None], float).reshape(-1, 4).T
            style = {"color": COLOURS[index], "linestyle": LINES[index], "marker": "osD^"[index], "markersize": 4}
            axes.plot(known[0], known[1], label=RULES[rule] if key == "ppv" else None, **style)
            axes.fill_between(known[0], known[2], known[3], color=COLOURS[index], alpha=0.12)
        axes.set_xlabel("Prevalence")
        axes.set_ylabel(f"{key.upper()} (share)")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return figure


def curve_figure(curve: DecisionCurve, positive: str, part: str) -> Figure:
    """Net benefit by threshold probability."""
    figure, axes = one_axes(f"Decision curve for {positive}, {part}, prevalence {curve.prevalence:.1%}", (WIDE, 3.8))
    axes.fill_between(curve.thresholds, curve.low, curve.high, color=COLOURS[0], alpha=0.18, linewidth=0)
    axes.plot(curve.thresholds, curve.model, color=COLOURS[0], linewidth=2.2, label="Model")
    axes.plot(curve.thresholds, curve.treat_all, color=COLOURS[1], linestyle="--", label="Treat all")
    axes.axhline(0, color="0.3", linestyle=":", label="Treat none")
    top = max(curve.prevalence, 0.01)
    axes.set_ylim(-0.25 * top, 1.1 * top)
    axes.set_xlim(0, 1)
    axes.set_xlabel(f"Probability of {positive} from which one would act")
    axes.set_ylabel("Net benefit (true positives an image)")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    return figure


def _helps(curve: DecisionCurve) -> str:
    rows = zip(curve.thresholds, curve.low, curve.treat_all, strict=True)
    better = [threshold for threshold, low, treat_all in rows if low > max(treat_all, 0) + 1e-9]
    if not better:
        return "Nowhere does the whole band lie above treating all or none."
    return f"The whole band lies above treating all or none at thresholds between {min(better):.2f} and {max(better):.2f}."


FIGURES = (decision_figures,)
