"""What all figures share: readable at 700 pixels, colour-blind safe, the same bytes for the same numbers."""

import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from PIL import Image

matplotlib.rcParams["text.parse_math"] = False  # names of files and classes may hold dollar signs

# Okabe and Ito, "Color Universal Design" (2008), without yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")


# Sections of the report, in its order: a figure stands at the end of its section.
Section = Literal["classes", "points", "calibration", "triage", "saliency", "failures", "subgroups", "baseline", "run"]


@dataclass(frozen=True)
class Drawn:
    """A figure, its file name (without suffix), its section of the report, its caption, and its text for those who can't see it."""

    name: str
    section: Section
    figure: Figure
    caption: str
    alt: str


@dataclass(frozen=True)
class Picture:
    """A figure as a PNG file, with its place in the report."""

    name: str
    section: Section
    png: bytes
    caption: str
    alt: str


def pictures_of(drawn: Iterable[Drawn], dpi: int) -> list[Picture]:
    """Each figure as a PNG."""
    return [Picture(each.name, each.section, png_of(each.figure, dpi), each.caption, each.alt) for each in drawn]


def png_of(figure: Figure, dpi: int) -> bytes:
    """A figure as a PNG without a time stamp: the same figure gives the same bytes."""
    figure.dpi = dpi
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()  # once; savefig would draw it twice, to lay it out first
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(buffer, "png")
    return buffer.getvalue()


def left_of(axes: Axes) -> float:
    """A left limit with all intervals in view, on a tenth."""
    lowest = min((float(np.min(np.asarray(line.get_xdata(), float))) for line in axes.get_lines()), default=0.0)
    return max(0.0, math.floor((lowest - 0.03) * 10) / 10)


def one_axes(title: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure with a title over one pair of axes."""
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    axes = figure.subplots()
    figure.suptitle(title, fontsize=13)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
