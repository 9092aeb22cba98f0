"""Reliability diagrams: frequency by probability, before and after temperature scaling."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.calibration import Bin
from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.figures.drawing import COLOURS, WIDE, Drawn, headline
from cxr.evaluation.predictions import Predictions
from cxr.text import part_in_full


def calibration_figures(evaluated: Predictions, assessment: Assessment) -> list[Drawn]:
    """One figure: a panel of the most probable class, and one of the positive class."""
    before, after = assessment.calibration, assessment.calibration_after
    return [
        Drawn(
            "reliability",
            "calibration",
            reliability_figure(assessment),
            f"Share of images by their probability, in bins of about equally many images, with {PERCENT} Wilson intervals; before "
            "(circles) and after (squares) temperature scaling",
            f"Reliability diagram of {assessment.images:,} images. Expected calibration error {before.ece:.3f} before and "
            f"{after.ece:.3f} after temperature {assessment.temperature.value:.2f}.",
        )
    ]


def reliability_figure(assessment: Assessment) -> Figure:
    """Frequency by probability, of the most probable class and of the positive class, before and after."""
    panels: list[tuple[str, str, list[Bin], list[Bin]]] = [
        ("Most probable class", "Share that is right", assessment.calibration.bins, assessment.calibration_after.bins)
    ]
    before, after = assessment.positive_calibration, assessment.positive_calibration_after
    if assessment.triage and before and after:
        positive = assessment.triage.positive_class
        panels.append((f"Probability of {positive}", f"Share that is {positive}", before.bins, after.bins))
    figure = Figure(figsize=(WIDE, 3.3), layout="constrained")
    headline(figure, f"Reliability, {part_in_full(assessment.part)} (n = {assessment.images:,})")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, share, *both) in zip(all_axes, panels, strict=True):
        _panel(axes, title, share, both, assessment.temperature.value)
    figure.legend(*all_axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return figure


def _panel(axes: Axes, title: str, share: str, both: Sequence[list[Bin]], temperature: float) -> None:
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
    for index, (bins, label) in enumerate(zip(both, ("Before", f"After temperature {temperature:.2f}"), strict=True)):
        for row in bins:
            ends = [row.share.low or 0.0, row.share.high or 0.0]
            axes.plot([row.probability] * 2, ends, color=COLOURS[index], linewidth=1.2, alpha=0.7)
        x, y = [row.probability for row in bins], [row.share.value or 0.0 for row in bins]
        axes.plot(x, y, "os"[index] + "-", color=COLOURS[index], markersize=4, linewidth=1, label=label)
    lowest = min([min(row.probability, row.share.low or 0.0) for bins in both for row in bins], default=0.0)
    start = max(0.0, int(lowest * 10) / 10 - 0.02)
    axes.set_xlim(start, 1.01)
    axes.set_ylim(start, 1.01)
    axes.set_title(title, fontsize=9.5)
    axes.set_xlabel("Probability")
    axes.set_ylabel(share)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


FIGURES = (calibration_figures,)
