"""Saliency maps as arrays: the images chosen for them, their mean, and the randomisation check."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from cxr.evaluation.predictions import Predictions

_UNLIKE = 0.5  # rank correlation with randomised weights, from which maps count as independent of what was learned


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
    """How rank_correlation saliency maps stay while a part of the weights is shuffled: mean rank correlation over images, -1 to 1.

    None where no image has two maps that vary.
    """

    weights: str
    correlation: float | None


@dataclass(frozen=True)
class Saliency:
    """Facts about the saliency maps of a run."""

    layer: str  # whose feature map they are made of
    map_size: tuple[int, int]
    gallery: list[Exhibit]
    averaged: dict[str, int]  # images by class whose maps were averaged
    checked: int  # images of the randomisation check
    randomisation: list[RandomisedStage]
    verdict: str


def gallery(predictions: Predictions, per_kind: int) -> list[Exhibit]:
    """Up to `per_kind` images of each true class that were taken for it, then as many that were not, neither best nor worst."""
    found = []
    for index in range(len(predictions.classes)):
        for right in (True, False):
            rows = np.flatnonzero((predictions.labels == index) & ((predictions.predicted == index) == right))
            found += [_exhibit(predictions, row) for row in drawn(predictions, rows, per_kind)]
    return found


def drawn(predictions: Predictions, rows: NDArray[np.int64], count: int) -> list[int]:
    """Up to `count` of some rows, as a hash of their ids draws them: the same ones each time, and none that anyone chose."""
    return [int(row) for row in sorted(rows, key=lambda row: sha256(predictions.ids[row].encode()).hexdigest())[:count]]


def scaled_to_one(saliency: NDArray[np.float32]) -> NDArray[np.float32]:
    """Maps (n, rows, columns) scaled from 0 (no evidence for the class) to 1 at the maximum."""
    positive = np.maximum(saliency, 0)
    top = positive.max(axis=(1, 2), keepdims=True)
    return np.asarray(np.divide(positive, top, out=np.zeros_like(positive), where=top > 0), np.float32)


def rank_correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float | None:
    """Mean rank correlation of maps (n, rows, columns) with others of the same images, over those where both vary; none without."""
    pairs = [(a.ravel(), b.ravel()) for a, b in zip(one, other, strict=True)]
    found = [spearmanr(a, b).statistic for a, b in pairs if np.ptp(a) > 0 and np.ptp(b) > 0]
    return float(np.mean(found)) if found else None


def verdict(stages: Sequence[RandomisedStage]) -> str:
    """What the randomisation check amounts to, in a sentence."""
    left = stages[-1].correlation
    if left is None:
        return "The check gives no result: the maps are flat, here or with all weights shuffled."
    if abs(left) < _UNLIKE:
        return (
            f"With all weights shuffled the rank correlation with these maps is {left:.2f}: they depend on what was learned. "
            "That does not make them correct: look at the places of high saliency."
        )
    return (
        f"With all weights shuffled the rank correlation with these maps is still {left:.2f}: they follow the shape of the image "
        "more than what was learned, so nothing should be read into them."
    )


def _exhibit(predictions: Predictions, row: int) -> Exhibit:
    called = int(predictions.predicted[row])
    classes = predictions.classes
    return Exhibit(
        row, predictions.ids[row], classes[predictions.labels[row]], classes[called], float(predictions.probabilities[row, called])
    )
