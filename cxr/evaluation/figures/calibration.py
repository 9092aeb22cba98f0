"""The reliability diagram: accuracy by probability, before and after temperature scaling."""

from matplotlib.figure import Figure

from cxr.evaluation.assessment import Assessment
from cxr.evaluation.calibration import Calibration
from cxr.evaluation.figures.drawing import COLOURS, Drawn
from cxr.evaluation.predictions import Predictions
from cxr.text import part_in_full


def calibration_figures(evaluated: Predictions, found: Assessment) -> list[Drawn]:
    """One figure of two panels, before and after temperature scaling."""
    before, after = found.calibration, found.calibration_after
    return [
        Drawn(
            "reliability",
            "calibration",
            reliability_figure(found),
            "Share of images whose most probable class is right, by its probability, in bins of about equally many images, with "
            "95 % Wilson intervals; before and after temperature scaling fitted on validation",
            f"Reliability diagram of {found.images:,} images. Expected calibration error {before.ece:.3f} before and "
            f"{after.ece:.3f} after temperature {found.temperature.value:.2f}.",
        )
    ]


def reliability_figure(found: Assessment) -> Figure:
    """Accuracy by confidence, before and after."""
    figure = Figure(figsize=(8.2, 4.8), layout="constrained")
    figure.suptitle(f"Reliability of the most probable class, {part_in_full(found.part)} (n = {found.images:,})", fontsize=13)
    panels = (
        ("Before scaling", found.calibration),
        (f"After temperature {found.temperature.value:.2f}", found.calibration_after),
    )
    lowest = _lowest(*(each for _, each in panels))
    for index, (axes, (title, calibration)) in enumerate(zip(figure.subplots(1, 2, sharex=True, sharey=True), panels, strict=True)):
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=1)
        for each in calibration.bins:
            axes.plot([each.probability] * 2, [each.share.low, each.share.high], color=COLOURS[index], linewidth=1.6, alpha=0.8)
        x, y = [each.probability for each in calibration.bins], [each.share.value for each in calibration.bins]
        axes.plot(x, y, "os"[index] + "-", color=COLOURS[index], markersize=5, linewidth=1)
        axes.set_title(f"{title}\nECE {calibration.ece:.3f}, Brier {calibration.brier:.3f}, NLL {calibration.nll:.3f}", fontsize=10)
        axes.set_xlim(lowest, 1.01)
        axes.set_ylim(lowest, 1.01)
        axes.set_xlabel("Probability of the most probable class")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set_ylabel("Share of images that are right")
    return figure


def _lowest(*both: Calibration) -> float:
    """A left and lower limit with all bins in view, on a tenth."""
    ends = [min(each.probability, each.share.low or 0.0) for calibration in both for each in calibration.bins]
    return max(0.0, int(min(ends, default=0) * 10) / 10 - 0.02)


FIGURES = (calibration_figures,)
