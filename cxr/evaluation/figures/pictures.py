"""Films for a person to look at: beside their heat maps, averaged by class, and the most confident mistakes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.heat import Exhibit, shown
from cxr.words import in_words

_ACROSS = 3  # pairs, or films, side by side
_SIDE = 128  # pixels of a film in a figure


def gallery_figure(exhibits: Sequence[Exhibit], films: NDArray[np.uint8], heat: NDArray[np.float32]) -> Drawn:
    """Film and overlay side by side; `films` (n, size, size, 1) and `heat` (n, rows, columns) in the order of the exhibits."""
    rows = -(-len(exhibits) // _ACROSS)
    figure, grid = _grid(
        rows, 2 * _ACROSS, f"Grad-CAM of {in_words(len(exhibits), 'image')}: film, and heat of the class it was taken for"
    )
    for place, (each, film, one) in enumerate(zip(exhibits, films, shown(heat), strict=True)):
        left, right = grid[place // _ACROSS, 2 * (place % _ACROSS)], grid[place // _ACROSS, 2 * (place % _ACROSS) + 1]
        grey = _small(film)
        left.imshow(grey, cmap="gray", vmin=0, vmax=255)
        right.imshow(grey, cmap="gray", vmin=0, vmax=255)
        right.imshow(_stretched(one, grey.shape), cmap="inferno", alpha=0.5, vmin=0, vmax=1)
        said = "right" if each.label == each.predicted else "WRONG"
        left.set_title(f"{each.label}\n{_tail(each.id)}", fontsize=7, loc="left")
        right.set_title(f"{said}: {each.predicted}\np = {each.probability:.2f}", fontsize=7, loc="left")
    wrong = sum(each.label != each.predicted for each in exhibits)
    return Drawn(
        "grad_cam",
        figure,
        "Right and wrong cases of each class, drawn by a hash of their names: the film, and beside it where the network saw the "
        "class that it took it for (bright: strongest). Heat shows where, not why",
        f"Pairs of chest films with heat overlays: {len(exhibits) - wrong} classified right and {wrong} wrong.",
    )


def mean_heat_figure(classes: Sequence[str], films: Sequence[NDArray[np.uint8]], heat: Sequence[NDArray[np.float32]]) -> Drawn:
    """For each class the mean film and the mean heat for it: an entry a class, (n, size, size, 1) and (n, rows, columns)."""
    across = min(len(classes), 4)
    rows = -(-len(classes) // across)
    figure, grid = _grid(rows, across, "Mean Grad-CAM of each class over its mean film", width=2.2 if across > 3 else 2.6)
    strongest = []
    for place, (name, of_class, maps) in enumerate(zip(classes, films, heat, strict=True)):
        axes = grid[place // across, place % across]
        if not len(of_class):
            axes.text(0.5, 0.5, f"{name}:\nno image", ha="center", va="center", transform=axes.transAxes)
            continue
        mean = shown(maps).mean(axis=0)
        grey = _small(of_class.mean(axis=0).astype(np.uint8))
        axes.imshow(grey, cmap="gray", vmin=0, vmax=255)
        axes.imshow(_stretched(mean, grey.shape), cmap="inferno", alpha=0.5, vmin=0, vmax=max(float(mean.max()), 1e-6))
        axes.set_title(f"{name} (n = {len(of_class)})", fontsize=9)
        strongest.append(f"{name}: {_place(mean)}")
    return Drawn(
        "heat_by_class",
        figure,
        "Where the network sees each class on average over images of that class. Heat outside the lungs, at markers or borders, "
        "points to a shortcut",
        f"Mean heat maps. Strongest place: {'; '.join(strongest)}.",
    )


def failures_figure(found: Sequence[Failure], films: NDArray[np.uint8]) -> Drawn:
    """The mistakes in the order of their cells of the confusion matrix; `films` (n, size, size, 1)."""
    across = 6
    rows = -(-len(found) // across)
    figure, grid = _grid(rows, across, f"Most confident mistakes of each kind ({in_words(len(found), 'image')})")
    for place, (each, film) in enumerate(zip(found, films, strict=True)):
        axes = grid[place // across, place % across]
        axes.imshow(_small(film), cmap="gray", vmin=0, vmax=255)
        true, said = each.probabilities[each.label], each.probabilities[each.predicted]
        axes.set_title(f"{each.label} ({true:.2f})\ncalled {each.predicted} ({said:.2f})\n{_tail(each.id)}", fontsize=7, loc="left")
    kinds = ", ".join(f"{each.label} called {each.predicted}" for each in found)
    return Drawn(
        "failures",
        figure,
        "The most confident mistakes of each pair of true and predicted class, with the probability of both",
        f"Chest films that were classified wrong: {kinds}.",
    )


def _grid(rows: int, columns: int, title: str, width: float = 1.45) -> tuple[Figure, Any]:
    """Empty axes without ticks, (rows, columns)."""
    figure = Figure(figsize=(max(columns * width, 6.4), 0.5 + rows * (width + 0.45)), layout="constrained")
    figure.suptitle(title, fontsize=11)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    return figure, grid


def _small(film: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(film[..., 0]).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))


def _stretched(heat: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(heat).resize((shape[1], shape[0]), Image.Resampling.BICUBIC)).clip(0, None)


def _tail(name: str) -> str:
    last = name.rsplit("/", 1)[-1]
    return last if len(last) <= 18 else f"...{last[-16:]}"


def _place(heat: NDArray[np.float32]) -> str:
    """Where the maximum lies, in words, as one sees the film."""
    row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    down = ("upper", "middle", "lower")[int(3 * row / heat.shape[0])]
    across = ("left", "centre", "right")[int(3 * column / heat.shape[1])]
    return f"{down} {across} of the picture"
