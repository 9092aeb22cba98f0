"""The figure of a results table: each experiment's accuracy, sensitivity and areas with their intervals."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from cxr.evaluation.estimates import Estimate
from cxr.evaluation.figures.drawing import COLOURS


def results_figure(names: Sequence[str], panels: dict[str, Sequence[Estimate]], reference: str, zero: bool = False) -> Figure:
    """A panel for each metric, a row for each experiment; the reference is a dashed line. `zero` marks 0, for differences."""
    figure = Figure(figsize=(2.0 + 2.3 * len(panels), 1.3 + 0.36 * len(names)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    for index, (place, (title, marks)) in enumerate(zip(axes, panels.items(), strict=True)):
        colour = COLOURS[index % len(COLOURS)]
        for row, mark in enumerate(marks):
            if mark.value is None:
                continue
            if mark.low is not None and mark.high is not None:
                place.plot([mark.low, mark.high], [row, row], color=colour, linewidth=2.5, alpha=0.5, solid_capstyle="butt")
            place.plot([mark.value], [row], "o", color=colour, markersize=6)
            if names[row] == reference:
                place.axvline(mark.value, color=colour, linestyle="--", linewidth=1, alpha=0.7)
        if zero:
            place.axvline(0, color="0.3", linewidth=1)
        place.set_title(title, fontsize=9.5)
        place.grid(axis="x", alpha=0.3)
        place.tick_params(axis="x", labelsize=8)
        place.locator_params(axis="x", nbins=4)
        place.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(names)), list(names), fontsize=9)
    axes[0].set_ylim(len(names) - 0.5, -0.5)
    return figure
