"""Training curves, as columns and as a figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd
from matplotlib.figure import Figure

from cxr.evaluation.figures.drawing import COLOURS, LINES, WIDE, Drawn, headline


@dataclass(frozen=True)
class TrainingCurves:
    """One entry an epoch, counted from 1 over all phases; `best_epoch` is the one whose weights were kept."""

    epochs: Sequence[int]
    phase_names: Sequence[str]
    values: dict[str, Sequence[float]]  # train/loss, val/loss, train/accuracy, ...
    best_epoch: int

    @property
    def step(self) -> str:
        """What one entry is: an epoch, or of a soup, which is not trained, a run whose weights were tried."""
        return "epoch" if "train/loss" in self.values else "run"

    def phases(self) -> list[tuple[str, int, int]]:
        """Each phase's name, first and last epoch.

        >>> TrainingCurves([1, 2, 3], ["warm-up", "fine", "fine"], {}, 3).phases()
        [('warm-up', 1, 1), ('fine', 2, 3)]
        """
        pairs = zip(self.phase_names, self.epochs, strict=True)
        spans = [(name, [epoch for _, epoch in members]) for name, members in groupby(pairs, key=lambda pair: pair[0])]
        return [(name, numbers[0], numbers[-1]) for name, numbers in spans]

    def to_frame(self) -> pd.DataFrame:
        """A row an epoch: columns epoch, phase, kept (true for the best epoch), then one a metric."""
        kept = [epoch == self.best_epoch for epoch in self.epochs]
        return pd.DataFrame({"epoch": self.epochs, "phase": self.phase_names, "kept": kept, **self.values})


def training_curves(curves: TrainingCurves) -> Drawn:
    """The figure, with its caption and alternative text."""
    last = {name: values[-1] for name, values in curves.values.items() if name in ("train/loss", "val/loss")}
    losses = ", ".join(f"{name} {value:.3f}" for name, value in last.items())
    return Drawn(
        "training_curves",
        "run",
        training_figure(curves),
        f"Loss and accuracy by {curves.step}, with the phases and the {curves.step} whose weights were kept",
        f"Curves of {len(curves.epochs)} {curves.step}s, of which {curves.step} {curves.best_epoch} was kept. At the end {losses}.",
    )


def training_figure(curves: TrainingCurves) -> Figure:
    """Loss and accuracy by epoch, with the phases and the epoch whose weights were kept."""
    figure = Figure(figsize=(WIDE, 3.2), layout="constrained")
    headline(figure, "Training curves" if curves.step == "epoch" else "Soup: runs whose weights were added in turn")
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        for index, part in enumerate(("train", "val")):
            if f"{part}/{name}" not in curves.values:
                continue  # a soup is not trained
            style = {"color": COLOURS[index], "linestyle": LINES[index], "marker": "os"[index], "markersize": 4}
            label = ("Training", "Validation")[index]
            axes.plot(curves.epochs, curves.values[f"{part}/{name}"], label=label, **style)
        axes.axvline(curves.best_epoch, color="0.35", linestyle=":", label=f"Kept: {curves.step} {curves.best_epoch}")
        for index, (phase, first, last) in enumerate(curves.phases()):
            axes.axvspan(first - 0.5, last + 0.5, color="0.5", alpha=0.10 * (index % 2), linewidth=0)
            place = {"transform": axes.get_xaxis_transform(), "ha": "center"}
            axes.text((first + last) / 2, 1.01, phase, fontsize=8.5, color="0.3", **place)
        axes.set_xlabel(curves.step.capitalize())
        axes.set_ylabel(name.capitalize())
        axes.set_xlim(0.5, curves.epochs[-1] + 0.5)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    figure.axes[0].legend(loc="upper right", fontsize=7.5)
    return figure
