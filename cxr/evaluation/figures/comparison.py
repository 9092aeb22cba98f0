"""Figures of differences between runs, each with its interval."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.figures.drawing import COLOURS, WIDE, Drawn, headline
from cxr.evaluation.paired import Difference

MOST = len(COLOURS)


def vs_baseline(differences: Sequence[Difference], title: str) -> Drawn:
    """The figure of a run against its baseline."""
    text = "; ".join(f"{row.metric} {row.difference:+.3f} ({row.interval_text})" for row in differences)
    return Drawn(
        "vs_baseline",
        "baseline",
        runs_figure({"": differences}, title),
        f"Difference from the frozen-head baseline on the same images, with {PERCENT} intervals",
        f"Differences from the baseline: {text}.",
    )


def runs_figure(by_run: dict[str, Sequence[Difference]], title: str) -> Figure:
    """Several runs against one reference, seven at most, in the order given; log loss is left out as it has another scale."""
    shown = dict(list(by_run.items())[:MOST])
    metrics = [row.metric for row in next(iter(shown.values())) if row.metric != "log_loss"]
    step = 0.75 / max(len(shown), 1)
    figure = Figure(figsize=(WIDE, 1.4 + max(0.3, 0.16 * len(shown)) * len(metrics)), layout="constrained")
    axes = figure.subplots()
    headline(figure, title)
    axes.axvline(0, color="0.3", linewidth=1)
    for index, (name, differences) in enumerate(shown.items()):
        places = {metric: row + step * (index - (len(shown) - 1) / 2) for row, metric in enumerate(metrics)}
        values = sorted((row for row in differences if row.metric in places), key=lambda row: places[row.metric])
        for row in values:
            if row.low is not None and row.high is not None:
                axes.plot([row.low, row.high], [places[row.metric]] * 2, color=COLOURS[index], linewidth=2, solid_capstyle="butt")
        rows = [places[row.metric] for row in values]
        axes.plot([row.difference for row in values], rows, "o", color=COLOURS[index], markersize=5, label=name or None)
    axes.set_yticks(range(len(metrics)), [metric.replace("_", " ").replace("/", ", ") for metric in metrics], fontsize=9)
    axes.set_ylim(len(metrics) - 0.5, -0.5)
    axes.set_xlabel(f"Difference, with {PERCENT} interval; right of 0 is better")
    axes.grid(axis="x", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if any(shown):
        figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8.5)
    return figure
