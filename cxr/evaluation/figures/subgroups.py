"""The figure of subgroups: the accuracy of each, with its interval."""

from matplotlib.figure import Figure

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.figures.drawing import COLOURS, WIDE, Drawn, beside, left_of, one_axes
from cxr.evaluation.predictions import Predictions
from cxr.text import part_in_full

MOST = 24  # that a figure can hold and still be read


def subgroup_figures(evaluated: Predictions, found: Assessment) -> list[Drawn]:
    """One figure, or none without subgroups."""
    if not found.subgroups:
        return []
    worst = "; ".join(f"{each.name} {each.estimates['accuracy'].text}" for each in found.subgroups[:MOST])
    return [
        Drawn(
            "subgroups",
            "subgroups",
            subgroup_figure(found),
            f"Accuracy in each subgroup with its {PERCENT} Wilson interval, worst balanced accuracy first; hollow: small groups",
            f"Accuracy by subgroup: {worst}.",
        )
    ]


def subgroup_figure(found: Assessment) -> Figure:
    """Accuracy of each subgroup beside that of all images."""
    shown = found.subgroups[:MOST]
    more = f", first {MOST} of {len(found.subgroups)}" if len(found.subgroups) > MOST else ""
    title = f"Accuracy by subgroup, {part_in_full(found.part)} (n = {found.images:,}){more}"
    figure, axes = one_axes(title, (WIDE, 1.7 + 0.36 * len(shown)))
    whole = found.estimates["accuracy"].value
    if whole is not None:
        axes.axvline(whole, color="0.4", linestyle="--", linewidth=1, label=f"All images: {whole:.3f}")
    for row, each in enumerate(shown):
        rate = each.estimates["accuracy"]
        if rate.value is None or rate.low is None or rate.high is None:
            continue
        axes.plot([rate.low, rate.high], [row, row], color=COLOURS[0], linewidth=2.2, solid_capstyle="butt")
        face = "white" if each.small else COLOURS[0]
        axes.plot(rate.value, row, "o", color=COLOURS[0], markerfacecolor=face, markersize=8, clip_on=False)
        beside(axes, f"{rate.value:.3f}  ({rate.out_of})", row)
    axes.set_yticks(range(len(shown)), [_in_short(each.name) for each in shown])
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlim(left_of(axes), 1.003)
    axes.set_xlabel(f"Accuracy (proportion of images), with {PERCENT} Wilson interval")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside lower center", frameon=False)
    return figure


def _in_short(name: str) -> str:
    return name if len(name) <= 26 else f"{name[:12]}...{name[-11:]}"


FIGURES = (subgroup_figures,)
