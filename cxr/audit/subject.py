"""What an audit looks at: images with lung masks, labels, groups and sources, and a trained model as functions of images."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.anatomy.lung_masks import lung_masks
from cxr.audit.linear_probe import Floats, Target
from cxr.audit.regions import Images, Masks
from cxr.cache.memoized import memoized_by_content
from cxr.config.schema import DataConfig
from cxr.data.images.compression import blocks_of
from cxr.data.images.decode import read_grey
from cxr.system import cores


class TrainedModel(Protocol):
    """A trained model, without its library."""

    @property
    def body(self) -> str | None:
        """Names what computes pooled features, where that is the same in other runs: a frozen backbone. None for others."""

    def head(self, pooled: NDArray[np.float32]) -> Floats:
        """Probabilities, (n, classes).

        Args:
            pooled: (n, channels).
        """

    def score(self, images: Images) -> tuple[Floats, NDArray[np.float32]]:
        """Probabilities (n, classes) and pooled features (n, channels).

        Args:
            images: (n, size, size, 1).
        """

    def features(self, images: Images, layer: str) -> NDArray[np.float32]:
        """Features of a layer, (n, channels): means over all places of its maps.

        Args:
            images: (n, size, size, 1).
        """

    def saliency(self, images: Images, classes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Grad-CAM of a class of each image, (n, rows, columns), at least 0.

        Args:
            images: (n, size, size, 1).
            classes: (n,), indices.
        """


def score_made(model: TrainedModel, make: Callable[[], Images], *content: str) -> tuple[Floats, NDArray[np.float32]]:
    """Probabilities (n, classes) and pooled features (n, channels) of the images that `make` gives.

    `content` names what they are made of and how. Where the backbone is that of other runs too, images that were made before are
    not made again.
    """
    if model.body is None:
        return model.score(make())
    pooled = _pooled(model, make, (model.body, *content))
    return model.head(pooled), pooled


@memoized_by_content(lambda model, make, content: content, most=64)
def _pooled(model: TrainedModel, make: Callable[[], Images], content: tuple[str, ...]) -> NDArray[np.float32]:
    return model.score(make())[1]


@dataclass(frozen=True)
class Subject:
    """Images and what is known of them, row by row; `held_out` is False for images that the model was trained on.

    `manifest` has the columns group, source, width, height and mode. `masks_from` says where the lung masks come from.
    """

    classes: tuple[str, ...]
    images: Images
    masks: Masks
    masks_from: str
    labels: NDArray[np.int64]
    manifest: pd.DataFrame
    held_out: NDArray[np.bool_]

    @cached_property
    def target(self) -> Target:
        """The class of every image."""
        return Target(self.labels, list(self.manifest["group"]))

    @cached_property
    def held_out_target(self) -> Target:
        """The class of every held-out image."""
        return Target(self.labels[self.held_out], list(self.manifest["group"][self.held_out]))

    @cached_property
    def content(self) -> str:
        """A hash of all that views of the images are made of."""
        return str(joblib.hash((self.images, self.masks, self.labels, self.manifest["group"].to_numpy(str))))

    def only(self, rows: NDArray[np.int64]) -> "Subject":
        """Some of the images.

        Args:
            rows: (k,).
        """
        manifest = self.manifest.iloc[rows].reset_index(drop=True)
        parts = self.images[rows], self.masks[rows], self.masks_from, self.labels[rows], manifest, self.held_out[rows]
        return Subject(self.classes, *parts)

    def sample(self, most: int) -> NDArray[np.int64]:
        """Up to `most` rows, (k,), evenly spread; all of them where so few would not do for a probe."""
        rows = np.unique(np.linspace(0, len(self.labels) - 1, min(most, len(self.labels))).round().astype(np.int64))
        return np.arange(len(self.labels)) if self.only(rows).target.why_not and not self.target.why_not else rows


def read_subject(
    data: DataConfig, root: Path, classes: tuple[str, ...], images: Images, manifest: pd.DataFrame, held_out: NDArray[np.bool_]
) -> Subject:
    """The images with their lung masks and traces of JPEG, which are read below `root`.

    Args:
        data: It says where masks come from.
        root: Folder of the paths.
        classes: Names, to which labels are indexes.
        images: (n, size, size, 1).
        manifest: A row for each image, with the columns of a manifest.
        held_out: (n,), False for images that a model was trained on.
    """
    masks = lung_masks(data, root, manifest, images, read_grey)
    with ThreadPoolExecutor(cores()) as pool:
        blocks = list(pool.map(lambda path: blocks_of(root / path), manifest["path"]))
    known = manifest.assign(**dict(zip(("blocks_across", "blocks_down"), np.array(blocks).reshape(-1, 2).T, strict=True)))
    labels = np.array([classes.index(label) for label in manifest["label"]], np.int64)
    return Subject(classes, images, masks.masks, masks.text, labels, known, held_out)


def chosen_rows(labels: NDArray[np.int64], held_out: NDArray[np.bool_], most: int, with_training: bool) -> NDArray[np.int64]:
    """Up to `most` rows, (k,), in ascending order; classes in proportion, always the same.

    Held-out ones are first and, `with_training`, then training images.

    Args:
        labels, held_out: (n,).
    """
    rng = np.random.default_rng(0)
    chosen: list[NDArray[np.int64]] = []
    room = most
    for part in (held_out, ~held_out & with_training):
        rows = rng.permutation(np.flatnonzero(part))
        if room <= 0:
            break
        if len(rows) > room:
            shares = np.bincount(labels[rows]) * room / len(rows)
            rows = np.concatenate([rows[labels[rows] == label][: round(share)] for label, share in enumerate(shares)])
        chosen.append(rows)
        room -= len(rows)
    return np.sort(np.concatenate(chosen))
