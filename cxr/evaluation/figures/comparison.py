"""Figures of differences between runs, each with its interval."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.figures.drawing import COLOURS, WIDE, Drawn, headline
from cxr.evaluation.paired import Difference

MOST = len(COLOURS)


def differences_figure(differences: Sequence[Difference], title: str) -> Figure:
    """One run against another: each metric's difference with its 95 % interval."""
    return runs_figure({"": differences}, title)


def vs_baseline(differences: Sequence[Difference], title: str) -> Drawn:
    """The figure of a run against its baseline."""
    told = "; ".join(f"{each.metric} {each.difference:+.3f} ({each.interval_text})" for each in differences)
    return Drawn(
        "vs_baseline",
        "baseline",
        differences_figure(differences, title),
        f"Difference from the frozen-head baseline on the same images, with {PERCENT} intervals",
        f"Differences from the baseline: {told}.",
    )


def runs_figure(by_run: dict[str, Sequence[Difference]], title: str) -> Figure:
    """Several runs against one reference, seven at most, in the order given; log loss is left out as it has another scale."""
    shown = dict(list(by_run.items())[:MOST])
    metrics = [each.metric for each in next(iter(shown.values())) if each.metric != "log_loss"]
    step = 0.75 / max(len(shown), 1)
    figure = Figure(figsize=(WIDE, 1.4 + max(0.3, 0.16 * len(shown)) * len(metrics)), layout="constrained")
    axes = figure.subplots()
    headline(figure, title)
    axes.axvline(0, color="0.3", linewidth=1)
    for index, (name, differences) in enumerate(shown.items()):
        found = {each.metric: each for each in differences}
        rows = [row + step * (index - (len(shown) - 1) / 2) for row, metric in enumerate(metrics) if metric in found]
        values = [found[metric] for metric in metrics if metric in found]
        for row, each in zip(rows, values, strict=True):
            if each.low is not None and each.high is not None:
                axes.plot([each.low, each.high], [row, row], color=COLOURS[index], linewidth=2, solid_capstyle="butt")
        axes.plot([each.difference for each in values], rows, "o", color=COLOURS[index], markersize=5, label=name or None)
    axes.set_yticks(range(len(metrics)), [metric.replace("_", " ").replace("/", ", ") for metric in metrics], fontsize=9)
    axes.set_ylim(len(metrics) - 0.5, -0.5)
    axes.set_xlabel(f"Difference, with {PERCENT} interval; right of 0 is better")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if any(shown):
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return figure
