"""Saliency maps as arrays: the images chosen for them, their mean, and the randomisation check."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from cxr.evaluation.predictions import Predictions

_UNLIKE = 0.5  # rank correlation with randomised weights, below which maps depend on what was learned
_LEAST_SIDE = 7  # cells of a map, below which rank correlations are too coarse for a verdict
_BORDER, _CORNER = 1 / 7, 2 / 7  # of each side: a frame of one cell of a 7 x 7 map, and squares of two by two cells
REGION_DESCRIPTIONS = "border (outer seventh of each side) and corners (two sevenths)"


@dataclass(frozen=True)
class Exhibit:
    """An image of the gallery; its saliency is that of the class it was taken for."""

    row: int  # of the predictions
    id: str
    label: str
    predicted: str
    probability: float  # of the class it was taken for


@dataclass(frozen=True)
class RandomisedStage:
    """How alike saliency maps stay while a part of the weights is shuffled: rank correlation of each image's maps, -1 to 1.

    Mean and standard deviation over `images`, those with two maps that vary; None where there are too few.
    """

    weights: str
    correlation: float | None
    spread: float | None
    images: int


@dataclass(frozen=True)
class RegionShares:
    """Where the evidence for a class lies: shares of the maps' total in the border and in the four corners, 0 to 1.

    Mean and standard deviation over images. Border: the outer seventh of each side. Corners: squares of two sevenths of a side.
    """

    label: str
    images: int
    border: float
    border_spread: float
    corners: float
    corners_spread: float


@dataclass(frozen=True)
class Saliency:
    """Facts about the saliency maps of a run."""

    layer: str  # whose feature map they are made of
    map_size: tuple[int, int]
    gallery: list[Exhibit]
    averaged: dict[str, int]  # images by class whose maps were averaged
    regions: list[RegionShares]  # of the same images
    evenly: tuple[float, float]  # shares of border and corners in a map that is the same everywhere
    checked: int  # images of the randomisation check
    randomisation: list[RandomisedStage]
    verdict: str


def gallery(predictions: Predictions, per_kind: int) -> list[Exhibit]:
    """Up to `per_kind` images of each true class that were taken for it, then as many that were not, neither best nor worst."""
    rows: list[int] = []
    for index, right in product(range(len(predictions.classes)), (True, False)):
        of_kind = np.flatnonzero((predictions.labels == index) & ((predictions.predicted == index) == right))
        rows += drawn(predictions, of_kind, per_kind)
    classes, called, probability = predictions.classes, predictions.predicted, predictions.probabilities.max(axis=1)
    return [
        Exhibit(row, predictions.ids[row], classes[predictions.labels[row]], classes[called[row]], float(probability[row]))
        for row in rows
    ]


def drawn(predictions: Predictions, rows: NDArray[np.int64], count: int) -> list[int]:
    """Up to `count` of some rows, as a hash of their ids draws them: the same ones each time, and none that anyone chose.

    Args:
        rows: (k,).
    """
    return [int(row) for row in sorted(rows, key=lambda row: sha256(predictions.ids[row].encode()).hexdigest())[:count]]


def scaled_to_one(saliency: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps scaled from 0 (no evidence for the class) to 1 at the maximum, (n, rows, columns).

    Args:
        saliency: (n, rows, columns).
    """
    positive = np.maximum(saliency, 0)
    top = positive.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(positive, top, out=np.zeros_like(positive), where=top > 0), np.float32)


def randomised_stage(weights: str, one: NDArray[np.float32], other: NDArray[np.float32]) -> RandomisedStage:
    """Compare maps with those of the same images by shuffled weights, over images where both vary.

    Args:
        one, other: (n, rows, columns).
    """
    pairs = [(a.ravel(), b.ravel()) for a, b in zip(one, other, strict=True)]
    correlations = [float(spearmanr(a, b).statistic) for a, b in pairs if np.ptp(a) > 0 and np.ptp(b) > 0]
    mean = float(np.mean(correlations)) if correlations else None
    spread = float(np.std(correlations, ddof=1)) if len(correlations) > 1 else None
    return RandomisedStage(weights, mean, spread, len(correlations))


def verdict(stages: Sequence[RandomisedStage], map_size: tuple[int, int]) -> str:
    """What the randomisation check amounts to, in a sentence; it decides nothing for small maps, and never from the mean alone."""
    last = stages[-1]
    if last.correlation is None or last.spread is None:
        return "The check gives no result: the maps are flat, here or with all weights shuffled, or there are too few images."
    correlation = f"{last.correlation:.2f} (SD {last.spread:.2f}, {last.images} images)"
    if min(map_size) < _LEAST_SIDE:
        size = f"{map_size[0]} x {map_size[1]}"
        return f"Rank correlation with all weights shuffled: {correlation}. Maps of {size} are too coarse for a verdict."
    if abs(last.correlation) + last.spread < _UNLIKE:
        return (
            f"With all weights shuffled the maps change (rank correlation {correlation}), so they depend on the weights. "
            "That does not show that they are right: look at where they point."
        )
    return (
        f"With all weights shuffled the maps stay alike, all or some of them (rank correlation {correlation}): "
        "they may follow the shape of the image, so read nothing into them."
    )


def region_shares(label: str, saliency: NDArray[np.float32]) -> RegionShares | None:
    """The shares of one class's maps; None where no map has evidence for the class.

    Args:
        saliency: (n, rows, columns).
    """
    positive = np.maximum(saliency.astype(np.float64), 0)
    totals = positive.sum(axis=(1, 2))
    if not (totals > 0).any():
        return None
    maps = positive[totals > 0] / totals[totals > 0, None, None]
    border, corners = ((maps * cells).sum(axis=(1, 2)) for cells in _regions(saliency.shape[1], saliency.shape[2]))
    return RegionShares(label, len(maps), float(border.mean()), float(border.std()), float(corners.mean()), float(corners.std()))


def even_shares(map_size: tuple[int, int]) -> tuple[float, float]:
    """Border and corners of a map that is the same everywhere: their parts of the area, whatever the size of the map.

    >>> tuple(round(share, 3) for share in even_shares((7, 7)))
    (0.49, 0.327)
    """
    border, corners = (float(cells.mean()) for cells in _regions(*map_size))
    return border, corners


def _regions(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How much of each cell lies in the border and in the corners, (rows, columns) each, 0 to 1."""
    inner = np.outer(1 - _ends(rows, _BORDER), 1 - _ends(columns, _BORDER))
    return 1 - inner, np.outer(_ends(rows, _CORNER), _ends(columns, _CORNER))


def _ends(cells: int, share: float) -> NDArray[np.float64]:
    """How much of each of some cells in a row lies within `share` of either end."""
    edges = np.arange(cells + 1) / cells
    low, high = edges[:-1], edges[1:]
    covered = np.clip(np.minimum(high, share) - low, 0, None) + np.clip(high - np.maximum(low, 1 - share), 0, None)
    return np.asarray(np.minimum(covered * cells, 1.0))
