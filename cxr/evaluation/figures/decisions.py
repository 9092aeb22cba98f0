"""Figures of decisions: operating points, triage zones, predictive values and net benefit of the positive class."""

import numpy as np
from matplotlib.figure import Figure

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.decision_curve import DecisionCurve
from cxr.evaluation.estimates import PERCENT, Estimate
from cxr.evaluation.figures.drawing import COLOURS, LINES, WIDE, Drawn, beside, headline, left_of, one_axes
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


def decision_figures(evaluated: Predictions, found: Assessment) -> list[Drawn]:
    """Four figures; only the first without images of the positive class; none without a positive class."""
    if found.triage is None:
        return []
    positive, part = found.triage.positive_class, part_in_full(found.part)
    told = "; ".join(
        f"{RULES[each.rule.name]}: sensitivity {each.evaluated.sensitivity.text}, specificity {each.evaluated.specificity.text}"
        for each in found.operating_points
    )
    delayed = "; ".join(f"{each.delayed.text} at {each.prevalence:.0%}" for each in found.triage.workload)
    values = "; ".join(f"{RULES[each.rule]} at {each.prevalence:.0%}: {each.ppv.text}" for each in found.triage.predictive_values)
    chosen = "the evaluated images" if found.chosen_on_same else "validation"
    points = Drawn(
        "operating_points",
        "points",
        points_figure(found),
        f"Operating points for {positive}, chosen on {chosen}, with {PERCENT} Wilson intervals; dashed: targets",
        f"Sensitivity and specificity for {positive} on {found.images:,} {part} images. {told}.",
    )
    if found.decision_curve is None:
        return [points]
    return [
        points,
        Drawn(
            "triage_workload",
            "triage",
            workload_figure(found.triage, found.images),
            f"Expected patients of {PATIENTS:,} in each zone by prevalence of {positive}; above the bars {positive} delayed in "
            f"ROUTINE, with {PERCENT} interval",
            f"Stacked bars. Patients with {positive} in the routine zone, of {PATIENTS:,}: {delayed}.",
        ),
        Drawn(
            "predictive_values",
            "triage",
            values_figure(found.triage, found.images),
            f"PPV and NPV for {positive} by prevalence, for each operating point; bands join the ends of both intervals",
            f"PPV: {values}.",
        ),
        Drawn(
            "decision_curve",
            "calibration",
            curve_figure(found.decision_curve, positive, f"{part} (n = {found.images:,})"),
            f"Net benefit of acting on calibrated probabilities of {positive}, with {PERCENT} band, at the prevalence of these "
            f"images ({found.decision_curve.prevalence:.1%}), against treating all and treating none",
            f"Decision curve. {_helps(found.decision_curve)}",
        ),
    ]


def points_figure(found: Assessment) -> Figure:
    """Sensitivity and specificity of each rule on the evaluated images, beside the targets."""
    points = found.operating_points
    assert found.triage is not None
    title = f"Operating points for {found.triage.positive_class}, {part_in_full(found.part)} (n = {found.images:,})"
    figure, axes = one_axes(title, (WIDE, 1.7 + 0.62 * len(points)))
    for row, point in enumerate(points):
        pairs = ((point.evaluated.sensitivity, -0.16, "o", 0), (point.evaluated.specificity, 0.16, "s", 1))
        for key, (rate, offset, marker, index) in zip(("sensitivity", "specificity"), pairs, strict=True):
            if rate.value is None or rate.low is None or rate.high is None:
                continue
            axes.plot([rate.low, rate.high], [row + offset] * 2, color=COLOURS[index], linewidth=2.2, solid_capstyle="butt")
            label = key.capitalize() if row == 0 else None
            axes.plot(rate.value, row + offset, marker, color=COLOURS[index], markersize=7, label=label, clip_on=False)
            told = f"{rate.value:.3f}  ({rate.out_of})"
            beside(axes, told, row + offset)
            if point.rule.target is not None and point.rule.aim == key:
                axes.plot([point.rule.target] * 2, [row + offset - 0.14, row + offset + 0.14], "--", color="black", linewidth=1.5)
    axes.set_yticks(range(len(points)), [_rule_in_short(point.rule.name, point.rule.target) for point in points])
    axes.set_ylim(len(points) - 0.5, -0.5)
    axes.set_xlim(left_of(axes), 1.003)
    axes.set_xlabel(f"Proportion of images, with {PERCENT} Wilson interval")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def workload_figure(triage: Triage, images: int) -> Figure:
    """Patients by zone and prevalence."""
    title = (
        f"Triage of {PATIENTS:,} patients by prevalence of {triage.positive_class} (from n = {images:,}); above: delayed in ROUTINE"
    )
    figure, axes = one_axes(title, (WIDE, 4.0))
    bottoms, places = np.zeros(len(triage.workload)), range(len(triage.workload))
    for zone, colour in (("fast_track", COLOURS[1]), ("review", COLOURS[4]), ("routine", COLOURS[5])):
        heights = np.array([getattr(each, zone).value or 0.0 for each in triage.workload])
        axes.bar(places, heights, bottom=bottoms, color=colour, width=0.62, label=ZONE_NAMES[zone], edgecolor="white")
        for place, height, bottom in zip(places, heights, bottoms, strict=True):
            if height >= 45:
                axes.text(place, bottom + height / 2, f"{height:.0f}", ha="center", va="center", fontsize=10)
        bottoms += heights
    for place, each in zip(places, triage.workload, strict=True):
        axes.text(place, 1012, _few(each.delayed), ha="center", va="bottom", fontsize=8)
    axes.set_xticks(places, [f"{each.prevalence:.0%}" for each in triage.workload])
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
        for index, rule in enumerate(dict.fromkeys(each.rule for each in triage.predictive_values)):
            told = [(each.prevalence, getattr(each, key)) for each in triage.predictive_values if each.rule == rule]
            known = [(x, y) for x, y in told if y.value is not None]
            style = {"color": COLOURS[index], "linestyle": LINES[index], "marker": "osD^"[index], "markersize": 4}
            axes.plot([x for x, _ in known], [y.value for _, y in known], label=RULES[rule] if key == "ppv" else None, **style)
            axes.fill_between(
                [x for x, _ in known], [y.low for _, y in known], [y.high for _, y in known], color=COLOURS[index], alpha=0.12
            )
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


def _rule_in_short(name: str, target: float | None) -> str:
    return f"{RULES[name]}\n{target:g}" if target is not None else RULES[name]


def _few(delayed: Estimate) -> str:
    if delayed.value is None or delayed.low is None or delayed.high is None:
        return "-"
    return f"{delayed.value:.1f}\n({delayed.low:.1f}-{delayed.high:.1f})"


def _helps(curve: DecisionCurve) -> str:
    better = [
        threshold
        for threshold, low, all_ in zip(curve.thresholds, curve.low, curve.treat_all, strict=True)
        if low > max(all_, 0) + 1e-9
    ]
    if not better:
        return "Nowhere does the whole band lie above treating all or none."
    return f"The whole band lies above treating all or none at thresholds between {min(better):.2f} and {max(better):.2f}."


FIGURES = (decision_figures,)
