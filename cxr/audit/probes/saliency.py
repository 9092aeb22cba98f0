"""Where the evidence for a class lies: the share of Grad-CAM inside the lungs, beside that of an even map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cxr.audit.regions import Masks, corners
from cxr.audit.subject import Subject, TrainedModel

_CORNER = 0.2  # of the side


@dataclass(frozen=True)
class SaliencyShare:
    """Of one class: the mean share of a map's total in the lungs and in the corners, and what an even map has in the lungs."""

    label: str
    images: int
    in_lungs: float | None
    in_corners: float | None
    evenly: float | None


def saliency_shares(subject: Subject, model: TrainedModel, most: int) -> list[SaliencyShare]:
    """Of up to `most` held-out images of each class, the map for that class; None without a map that shows anything."""
    shares = []
    for index, label in enumerate(subject.classes):
        rows = np.flatnonzero((subject.labels == index) & subject.held_out)
        rows = rows[:: max(1, len(rows) // most)][:most]
        if not len(rows):
            shares.append(SaliencyShare(label, 0, None, None, None))
            continue
        maps = model.saliency(subject.images[rows], np.full(len(rows), index))
        size, cells = subject.masks.shape[1], maps.shape[1:]
        lungs, at_corners = in_cells(subject.masks[rows], cells), in_cells(corners(size, _CORNER * size)[None], cells)
        shown = maps.sum(axis=(1, 2)) > 0
        inside, cornered = _share(maps[shown], lungs[shown]), _share(maps[shown], at_corners)
        shares.append(SaliencyShare(label, int(shown.sum()), inside, cornered, float(lungs.mean())))
    return shares


def _share(maps: NDArray[np.float32], part: NDArray[np.float64]) -> float | None:
    return float(((maps * part).sum(axis=(1, 2)) / maps.sum(axis=(1, 2))).mean()) if len(maps) else None


def in_cells(masks: Masks, cells: tuple[int, ...]) -> NDArray[np.float64]:
    """The share of each cell of a map that masks cover, (n, rows, columns).

    Args:
        masks: (n, size, size).
    """
    rows, columns = (_overlaps(size, count) for size, count in zip(masks.shape[1:], cells, strict=True))
    return np.asarray(np.einsum("rs,nst,ct->nrc", rows, masks.astype(np.float64), columns))


def _overlaps(size: int, cells: int) -> NDArray[np.float64]:
    """The weight of each of `size` pixels in each cell, (cells, size); rows sum to 1."""
    ends = np.linspace(0, size, cells + 1)
    pixels = np.arange(size)
    covered = np.minimum(ends[1:, None], pixels + 1) - np.maximum(ends[:-1, None], pixels)
    return np.asarray(np.clip(covered, 0, 1) / (size / cells))
