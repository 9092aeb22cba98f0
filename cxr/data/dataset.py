"""The images of a run, ready for a network: found, read, described and split, all before TensorFlow is imported."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.cache.cache import Cache
from cxr.cache.rows import Rows
from cxr.config import Config
from cxr.data.decoded import read_images
from cxr.data.folders import ImageFolder
from cxr.data.images import BadImage
from cxr.data.manifest import make_manifest, only_those_of, rows_of
from cxr.data.split import Part
from cxr.errors import Mistake
from cxr.progress import Stage
from cxr.words import in_words


@dataclass(frozen=True)
class Dataset:
    """Images with what is known of them; row i of `images` is row i of `manifest`."""

    classes: tuple[str, ...]
    images: Rows  # (n, size, size, 1) uint8
    manifest: pd.DataFrame
    bad: tuple[BadImage, ...]

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each image, (n,), index into `classes`."""
        return np.array([self.classes.index(label) for label in self.manifest["label"]], np.int64)

    @property
    def one_hot(self) -> NDArray[np.float32]:
        """Class of each image, (n, classes)."""
        return np.eye(len(self.classes), dtype=np.float32)[self.labels]

    @property
    def hashes(self) -> tuple[str, ...]:
        """Pixel hash of each image, sha256 in hex."""
        return tuple(self.manifest["sha256"])

    def rows(self, part: Part) -> NDArray[np.int64]:
        """Rows of one part of the split."""
        return rows_of(self.manifest, part)

    def train_counts(self) -> list[int]:
        """Number of training images of each class."""
        return [int(count) for count in np.bincount(self.labels[self.rows("train")], minlength=len(self.classes))]


def read_dataset(
    config: Config, images: ImageFolder, stage: Stage, cache: Cache | None = None, manifest: pd.DataFrame | None = None
) -> Dataset:
    """Decode every image once and split them; raises `Mistake` for a bad image unless `data.on_bad_image=skip`.

    With a `manifest` its images are read, whatever else there is, and lie on its side of the split.
    """
    if manifest is not None:
        images = only_those_of(manifest, images)
    pixels = read_images(images.root, images.paths, config.backbone.image_size, stage, cache)
    if pixels.bad and config.data.on_bad_image == "stop":
        others = f" and {in_words(len(pixels.bad) - 1, 'other')}" if len(pixels.bad) > 1 else ""
        raise Mistake(
            f"can't read {images.root / pixels.bad[0].path} ({pixels.bad[0].reason}){others}: "
            "mend or remove, or leave such images out with data.on_bad_image=skip"
        )
    described = make_manifest(images, pixels, config.split)
    if manifest is not None:
        described["split"] = described["path"].map(manifest.set_index("path")["split"])
    return Dataset(images.classes, pixels.images, described, pixels.bad)
