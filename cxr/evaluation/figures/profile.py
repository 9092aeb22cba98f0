"""Figures of a set of images: grey levels, and how well traits predict the class."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from cxr.evaluation.estimates import PERCENT, Estimate
from cxr.evaluation.figures.drawing import COLOURS, LINES, WIDE, one_axes


def grey_levels_figure(levels: Mapping[str, NDArray[np.float64]]) -> Figure:
    """A line for each class.

    Args:
        levels: By class (bins,), shares of pixels in bins of grey levels from black to white.
    """
    figure, axes = one_axes("Grey levels of all pixels, by class", (WIDE, 3.2))
    for number, (name, shares) in enumerate(levels.items()):
        middle = (np.arange(len(shares)) + 0.5) * 256 / len(shares)
        style = LINES[number // len(COLOURS) % len(LINES)]
        axes.plot(middle, 100 * shares, style, color=COLOURS[number % len(COLOURS)], label=name)
    axes.set_xlim(0, 255)
    axes.set_ylim(bottom=0)
    axes.set_xlabel("Grey level, from black to white")
    axes.set_ylabel("Pixels, %")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def traits_figure(traits: Sequence[tuple[str, Estimate, bool]]) -> Figure:
    """A row for each trait: its label, its AUC, and whether it names a shortcut."""
    figure, axes = one_axes("How well each trait alone predicts the class", (WIDE + 1.5, 1.7 + 0.3 * len(traits)))
    for row, (_, auc, names_shortcut) in enumerate(traits):
        if auc.known:
            value, *ends = auc.known
            colour = COLOURS[1] if names_shortcut else COLOURS[0]
            axes.plot(ends, [row, row], color=colour, linewidth=2.2, solid_capstyle="butt")
            axes.plot(value, row, "s" if names_shortcut else "o", color=colour, markersize=6)
    axes.axvline(0.5, color="0.3", linewidth=1)
    axes.set_yticks(range(len(traits)), [label for label, *_ in traits], fontsize=8.5)
    axes.set_ylim(len(traits) - 0.5, -0.5)
    axes.set_xlim(0.4, 1.01)
    axes.set_xlabel(f"Macro AUC with {PERCENT} interval; squares name a shortcut")
    axes.grid(axis="x", alpha=0.3)
    return figure
