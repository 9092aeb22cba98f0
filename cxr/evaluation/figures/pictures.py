"""Figures that show images: Grad-CAM next to the image, its mean by class, and the most confident errors."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn, FigureImage
from cxr.evaluation.saliency import Exhibit, scaled_to_one
from cxr.text import pluralize

_ACROSS = 3  # pairs, or images, side by side
_SIDE, _LARGE = 160, 320  # pixels of an image in a figure, and of one that is shown alone


def gallery_figure(exhibits: Sequence[Exhibit], images: NDArray[np.uint8], saliency: NDArray[np.float32]) -> Drawn:
    """Image and overlay side by side, in order of the exhibits.

    Args:
        images: (n, size, size, 1).
        saliency: (n, rows, columns).
    """
    tiles, films = [], []
    for case, image, shares in zip(exhibits, images, scaled_to_one(saliency), strict=True):
        verdict, outcome = ("right", "right") if case.label == case.predicted else ("WRONG", f"taken for {case.predicted}")
        tiles.append((_rgb(_small(image)), f"{case.label}\n{_tail(case.id)}"))
        tiles.append((_overlay(_small(image), shares), f"{verdict}: {case.predicted}\np = {case.probability:.2f}"))
        caption = f"{case.label}, {outcome} ({case.probability:.2f}): {_tail(case.id)}"
        pair = np.concatenate([_rgb(_large(image)), _overlay(_large(image), shares)], axis=1)
        films.append(FigureImage(pair, caption, f"Chest image and Grad-CAM: {caption}"))
    wrong = sum(case.label != case.predicted for case in exhibits)
    title = f"Grad-CAM of {pluralize(len(exhibits), 'image')}, for the predicted class"
    return Drawn(
        "grad_cam",
        "saliency",
        _sheet(tiles, 2 * _ACROSS, title),
        "Correct and wrong cases of each class, drawn by a hash of their names: the image, and beside it where the network saw the "
        "predicted class (bright: strongest). Grad-CAM shows where, not why",
        f"Pairs of chest images with saliency overlays: {len(exhibits) - wrong} classified correctly and {wrong} wrongly.",
        films,
    )


def mean_saliency_figure(
    classes: Sequence[str], images: Sequence[NDArray[np.uint8]], saliency: Sequence[NDArray[np.float32]]
) -> Drawn:
    """For each class its mean image and mean saliency.

    Args:
        images: an array a class, (n, size, size, 1).
        saliency: an array a class, (n, rows, columns).
    """
    tiles, strongest, films = [], [], []
    for name, of_class, maps in zip(classes, images, saliency, strict=True):
        if not len(of_class):
            tiles.append((np.full((_SIDE, _SIDE, 3), 235, np.uint8), f"{name}: no image"))
            continue
        mean, image = scaled_to_one(maps).mean(axis=0), of_class.mean(axis=0).astype(np.uint8)
        shown = mean / max(float(mean.max()), 1e-6)
        tiles.append((_overlay(_small(image), shown), f"{name} (n = {len(of_class)})"))
        large = _overlay(_large(image), shown)
        films.append(FigureImage(large, f"{name}, mean of {len(of_class)}", f"Mean Grad-CAM of {name}, strongest {_place(mean)}"))
        strongest.append(f"{name}: {_place(mean)}")
    return Drawn(
        "heat_by_class",
        "saliency",
        _sheet(tiles, min(len(classes), 4), "Mean Grad-CAM of each class over its mean image", width=2.5, size=10),
        "Where the network sees each class, on average over its images. High saliency outside the lungs, at markers or borders, "
        "points to a shortcut; its share is in the table",
        f"Mean saliency maps. Strongest place: {'; '.join(strongest)}.",
        films,
    )


def heat_map(image: NDArray[np.uint8], saliency: NDArray[np.float32]) -> NDArray[np.uint8]:
    """An image beside the same with its saliency over it, (320, 640, 3).

    Args:
        image: (size, size, 1).
        saliency: (rows, columns).
    """
    large = _large(image)
    return np.concatenate([_rgb(large), _overlay(large, scaled_to_one(saliency[None])[0])], axis=1)


def failures_figure(failures: Sequence[Failure], images: NDArray[np.uint8]) -> Drawn:
    """Misclassified images in the order of their cells of the confusion matrix.

    Args:
        images: (n, size, size, 1).
    """
    tiles, films = [], []
    kinds = [f"{failure.label} called {failure.predicted}" for failure in failures]
    for failure, kind, image in zip(failures, kinds, images, strict=True):
        true, wrong = failure.probabilities[failure.label], failure.probabilities[failure.predicted]
        caption = f"{failure.label} ({true:.2f})\ncalled {failure.predicted} ({wrong:.2f})\n{_tail(failure.id)}"
        tiles.append((_rgb(_small(image)), caption))
        films.append(FigureImage(_rgb(_large(image)), caption.replace("\n", " "), f"Chest image, {kind}"))
    return Drawn(
        "failures",
        "failures",
        _sheet(tiles, 2 * _ACROSS, f"Most confident errors of each kind ({pluralize(len(failures), 'image')})"),
        "The most confident errors for each pair of true and predicted class, with the probability of both",
        f"Misclassified chest images: {', '.join(kinds)}.",
        films,
    )


def pairs_figure(
    before: Sequence[NDArray[np.uint8]], after: Sequence[NDArray[np.uint8]], titles: Sequence[tuple[str, str]]
) -> Drawn:
    """Images next to the same after a small change; `titles` are the network's answers to both.

    Args:
        before, after: images, (size, size, 1).
    """
    tiles, films = [], []
    for image, changed, (answer, new_answer) in zip(before, after, titles, strict=True):
        tiles += [(_rgb(_small(image)), f"{answer}\n"), (_rgb(_small(changed)), new_answer)]
        caption = f"{answer}; {new_answer.replace(chr(10), ' ')}"
        pair = np.concatenate([_rgb(_large(image)), _rgb(_large(changed))], axis=1)
        films.append(FigureImage(pair, caption, f"Chest image, {caption}"))
    return Drawn(
        "audit_flips",
        "audit",
        _sheet(tiles, 2 * _ACROSS, "Small changes that make another class of an image"),
        "Images before and after a change that should not matter, the worst changes first, with the class and its probability",
        f"Pairs of chest images: {'; '.join(film.caption for film in films)}.",
        films,
    )


def _sheet(tiles: Sequence[tuple[NDArray[np.uint8], str]], across: int, title: str, width: float = 1.6, size: float = 7) -> Figure:
    """Pictures (side, side, 3) in rows with captions above, each `width` inches wide.

    All are on one pair of axes: a pair for each would take seconds.
    """
    rows = -(-len(tiles) // across)
    lines = max((caption.count("\n") + 1 for _, caption in tiles), default=1)
    gap, above = 0.06 * width, size / 72 * 1.35 * lines + 0.06  # inches
    wide, high = max(across * (width + gap), 6.2), rows * (width + above + gap)
    tall = max(high + 0.45, 3.2)  # a single row is no slip of paper
    figure = Figure(figsize=(wide, tall))
    figure.suptitle(title, fontsize=11, y=1 - 0.12 / tall, va="top")
    axes = figure.add_axes((0, 1 - (high + 0.45) / tall, 1, high / tall))
    axes.set_axis_off()
    for place, (picture, caption) in enumerate(tiles):
        left, top = (place % across) * (width + gap) + gap / 2, (place // across) * (width + above + gap) + above
        axes.imshow(picture, extent=(left, left + width, top + width, top), aspect="auto")
        axes.text(left, top - 0.03, caption, fontsize=size, va="bottom", linespacing=1.15)
    axes.set_xlim(0, wide)
    axes.set_ylim(high, 0)
    return figure


def _rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=-1)


def _overlay(grey: NDArray[np.uint8], saliency: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Half image, half saliency from dark to bright, (side, side, 3)."""
    stretched = np.asarray(Image.fromarray(saliency).resize(grey.shape[::-1], Image.Resampling.BICUBIC))
    colours = colormaps["inferno"](stretched.clip(0, 1))[..., :3] * 255
    return np.asarray((_rgb(grey) + colours) / 2, np.uint8)


def _small(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image[..., 0]).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))


def _large(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(image[..., 0]).resize((_LARGE, _LARGE), Image.Resampling.BICUBIC))


def _tail(name: str) -> str:
    last = name.rsplit("/", 1)[-1]
    return last if len(last) <= 18 else f"...{last[-16:]}"


def _place(saliency: NDArray[np.float32]) -> str:
    """Where the maximum is, as seen in the image: `upper left of the picture`."""
    row, column = np.unravel_index(int(saliency.argmax()), saliency.shape)
    down = ("upper", "middle", "lower")[int(3 * row / saliency.shape[0])]
    across = ("left", "centre", "right")[int(3 * column / saliency.shape[1])]
    return f"{down} {across} of the picture"
