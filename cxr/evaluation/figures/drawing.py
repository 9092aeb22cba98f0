"""What all figures share: readable at 360 pixels, colour-blind safe, the same bytes for the same numbers."""

import io
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

from cxr.evaluation.estimates import PERCENT, Estimate

matplotlib.rcParams["text.parse_math"] = False  # names of files and classes may hold dollar signs

# Okabe and Ito, "Color Universal Design" (2008), without yellow, which is faint on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", "-.", ":")
_COMPRESSION = 3  # of PNG: half the time of the usual 6, and 3 % more bytes
WIDE = 5.5  # inches of a chart: its letters stay readable where a telephone shows it on 360 pixels


# Sections of the report, in its order: a figure is at the end of its section.
Section = Literal["classes", "points", "calibration", "triage", "audit", "saliency", "failures", "subgroups", "baseline", "run"]


@dataclass(frozen=True)
class FigureImage:
    """One image of a figure of images, (rows, columns, 3) uint8, with the caption below it."""

    picture: NDArray[np.uint8]
    caption: str
    alt: str


@dataclass(frozen=True)
class Drawn:
    """A figure, its file name (without suffix), its section of the report, its caption, and its text for those who can't see it.

    A figure of images also has each of its `films`, which a page shows one by one.
    """

    name: str
    section: Section
    figure: Figure
    caption: str
    alt: str
    films: Sequence[FigureImage] = ()


@dataclass(frozen=True)
class ImagePicture:
    """A film as a JPEG file."""

    jpeg: bytes
    caption: str
    alt: str


@dataclass(frozen=True)
class Picture:
    """A figure as files, with its place in the report: a PNG, and beside it an SVG if it is a chart, or its films."""

    name: str
    section: Section
    png: bytes
    caption: str
    alt: str
    svg: bytes = b""
    films: Sequence[ImagePicture] = ()


def pictures_of(drawn: Iterable[Drawn], dpi: int) -> list[Picture]:
    """Each figure as files."""
    return [
        Picture(
            figure.name,
            figure.section,
            png_of(figure.figure, dpi),
            figure.caption,
            figure.alt,
            b"" if figure.films else svg_of(figure.figure),
            [ImagePicture(_jpeg_of(film.picture), film.caption, film.alt) for film in figure.films],
        )
        for figure in drawn
    ]


def png_of(figure: Figure, dpi: int) -> bytes:
    """A figure as a PNG without a time stamp: the same figure gives the same bytes."""
    figure.dpi = dpi
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()  # once; savefig would draw it twice, to lay it out first
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(buffer, "png", compress_level=_COMPRESSION)
    return buffer.getvalue()


def svg_of(figure: Figure) -> bytes:
    """A figure that was drawn before as an SVG without a time stamp; letters are outlines, so it looks the same everywhere."""
    figure.set_layout_engine("none")  # it is laid out
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "cxr", "svg.fonttype": "path"}):
        canvas: Any = FigureCanvasSVG(figure)
        canvas.print_svg(buffer, metadata={"Date": None, "Creator": None})
    return buffer.getvalue()


def _jpeg_of(picture: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "jpeg", quality=88)
    return buffer.getvalue()


def headline(figure: Figure, title: str) -> None:
    """A title over the whole figure, in as many lines as its width asks for."""
    kept_together = title.replace("(n = ", "(n\u00a0=\u00a0")
    figure.suptitle(textwrap.fill(kept_together, max(30, int(11.5 * figure.get_figwidth()))), fontsize=10.5)


def one_axes(title: str, size: tuple[float, float]) -> tuple[Figure, Axes]:
    """A figure with a title over one pair of axes."""
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    axes = figure.subplots()
    headline(figure, title)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def rates_figure(title: str, rows: Sequence[tuple[str, Estimate, Estimate]], targets: Mapping[tuple[int, int], float]) -> Figure:
    """A row for each name with its sensitivity and specificity; `targets`, by row and 0 or 1, are dashed lines."""
    figure, axes = one_axes(title, (WIDE, 1.7 + 0.62 * len(rows)))
    for row, (_, *rates) in enumerate(rows):
        for series, rate in enumerate(rates):
            place, label = row + (-0.16, 0.16)[series], ("Sensitivity", "Specificity")[series]
            drawn = draw_rate(axes, rate, place, series, label if row == 0 else None)
            if drawn and (row, series) in targets:
                ends = [place - 0.14, place + 0.14]
                axes.plot([targets[row, series]] * 2, ends, "--", color="black", linewidth=1.5)
    name_rows(axes, [name for name, *_ in rows], "Proportion of images")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    return figure


def draw_rate(axes: Axes, rate: Estimate, row: float, series: int = 0, label: str | None = None, **style: Any) -> bool:
    """Draw a proportion with its interval, and its numbers to the right of the axes; False for one without an interval."""
    if not rate.known:
        return False
    value, *ends = rate.known
    axes.plot(ends, [row, row], color=COLOURS[series], linewidth=2.2, solid_capstyle="butt")
    axes.plot(value, row, "os"[series], color=COLOURS[series], label=label, clip_on=False, **{"markersize": 7, **style})
    beside: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "xytext": (8, 0), "textcoords": "offset points"}
    axes.annotate(f"{value:.3f}  ({rate.out_of})", (1, row), va="center", fontsize=9, **beside)
    return True


def name_rows(axes: Axes, names: Sequence[str], quantity: str) -> None:
    """Name rows of proportions, the first at the top, and set limits with all intervals in view, the left one on a tenth."""
    lowest = min((float(np.min(np.asarray(line.get_xdata(), float))) for line in axes.get_lines()), default=0.0)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(max(0.0, math.floor((lowest - 0.03) * 10) / 10), 1.003)
    axes.set_xlabel(f"{quantity}, with {PERCENT} Wilson interval")
    axes.grid(axis="x", alpha=0.3)
