"""The figure of a sweep: its jobs by the metric that orders them, and the baseline as a line."""

import pandas as pd
from matplotlib.figure import Figure

from cxr.evaluation.figures.drawing import COLOURS

MOST = 40  # jobs that a figure can hold and still be read


def sweep_figure(frame: pd.DataFrame, metric: str, title: str) -> Figure:
    """A row a run, in the frame's order: validation, and the test part if there is one.

    Args:
        frame: columns role, name, and metrics.
    """
    rows = frame.head(MOST)
    figure = Figure(figsize=(8.2, 1.7 + 0.32 * len(rows)), layout="constrained")
    axes = figure.subplots()
    note = f", best {MOST} of {len(frame)}" if len(frame) > MOST else ""
    figure.suptitle(f"{title}{note}", fontsize=12)
    on_test = metric.replace("val/", "test/")
    for index, (column, label, marker) in enumerate(((metric, "Validation, which orders them", "o"), (on_test, "Test", "s"))):
        if column not in rows:
            continue
        if f"{column}_lo" in rows:
            axes.hlines(range(len(rows)), rows[f"{column}_lo"], rows[f"{column}_hi"], color=COLOURS[index], alpha=0.45)
        axes.plot(rows[column], range(len(rows)), marker, color=COLOURS[index], label=label, markersize=7, alpha=0.9)
        of_baseline = f"{label.split(',')[0]}, baseline"
        for value in frame.loc[frame["role"] == "baseline", column]:
            axes.axvline(value, color=COLOURS[index], linestyle="--", linewidth=1, alpha=0.7, label=of_baseline)
    names = [f"baseline: {name}" if role == "baseline" else name for role, name in zip(rows["role"], rows["name"], strict=True)]
    axes.set_yticks(range(len(rows)), names, fontsize=9)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlabel(metric.removeprefix("val/"))
    axes.grid(axis="both", alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=8.5)
    return figure
