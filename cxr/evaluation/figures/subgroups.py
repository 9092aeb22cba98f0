"""The figure of subgroups: the accuracy of each, with its interval."""

from matplotlib.figure import Figure

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.figures.drawing import COLOURS, WIDE, Drawn, draw_rate, name_rows, one_axes
from cxr.evaluation.predictions import Predictions
from cxr.text import part_in_full

MOST = 24  # that a figure can hold and still be read


def subgroup_figures(evaluated: Predictions, assessment: Assessment) -> list[Drawn]:
    """One figure, or none without subgroups."""
    if not assessment.subgroups:
        return []
    worst = "; ".join(f"{subgroup.name} {subgroup.estimates['accuracy'].text}" for subgroup in assessment.subgroups[:MOST])
    return [
        Drawn(
            "subgroups",
            "subgroups",
            subgroup_figure(assessment),
            f"Accuracy in each subgroup with its {PERCENT} Wilson interval, worst balanced accuracy first; hollow: small groups",
            f"Accuracy by subgroup: {worst}.",
        )
    ]


def subgroup_figure(assessment: Assessment) -> Figure:
    """Accuracy of each subgroup, and that of all images as a line."""
    shown = assessment.subgroups[:MOST]
    more = f", first {MOST} of {len(assessment.subgroups)}" if len(assessment.subgroups) > MOST else ""
    title = f"Accuracy by subgroup, {part_in_full(assessment.part)} (n = {assessment.images:,}){more}"
    figure, axes = one_axes(title, (WIDE, 1.7 + 0.36 * len(shown)))
    whole = assessment.estimates["accuracy"].value
    if whole is not None:
        axes.axvline(whole, color="0.4", linestyle="--", linewidth=1, label=f"All images: {whole:.3f}")
    for row, subgroup in enumerate(shown):
        face = "white" if subgroup.small else COLOURS[0]
        draw_rate(axes, subgroup.estimates["accuracy"], row, markerfacecolor=face, markersize=8)
    names = [subgroup.name for subgroup in shown]
    names = [name if len(name) <= 26 else f"{name[:12]}...{name[-11:]}" for name in names]
    name_rows(axes, names, "Accuracy (proportion of images)")
    figure.legend(loc="outside lower center", frameon=False)
    return figure


FIGURES = (subgroup_figures,)
