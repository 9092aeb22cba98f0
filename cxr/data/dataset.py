"""The images of a run, ready for a network: found, read, grouped and split, before TensorFlow is imported."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.cache.rows import Rows
from cxr.cache.store import Cache
from cxr.config.schema import Config
from cxr.data.identity.annotate import Identity, altered, annotate
from cxr.data.image_list import ImageList
from cxr.data.images.hash_cache import HashCache
from cxr.data.images.image_file import BadImage, is_read_by_rules
from cxr.data.images.store import ImagePixels, read_images
from cxr.data.manifest import READ_OTHERWISE
from cxr.data.parts import PARTS, Part
from cxr.data.split import split_images
from cxr.errors import UserError
from cxr.progress import Stage
from cxr.text import pluralize

_NO_CONFLICTS = pd.DataFrame({"left_out": np.array([], bool)})


@dataclass(frozen=True)
class Dataset:
    """Images with their manifest; row i of `images` is row i of `manifest`."""

    classes: tuple[str, ...]
    images: Rows  # (n, size, size, 1) uint8
    manifest: pd.DataFrame
    bad: tuple[BadImage, ...]
    identity: Identity  # of all images that were read
    conflicts: pd.DataFrame = field(default_factory=lambda: _NO_CONFLICTS)  # their copies have another label; all left out or none
    grey: str = "auto"  # the rule of `data.grey` that deep images were read by
    excluded: pd.DataFrame = field(default_factory=pd.DataFrame)  # left out, as their source is unknown, or that of a copy tests

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the split that have images, in the order train, val, test."""
        return tuple(part for part in PARTS if (self.manifest["split"] == part).any())

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each image, (n,), index into `classes`."""
        return np.array([self.classes.index(label) for label in self.manifest["label"]], np.int64)

    @property
    def sources(self) -> NDArray[np.int64]:
        """A number for the source of each image, (n,); images without one have one in common."""
        return np.unique(self.manifest["source"], return_inverse=True)[1].astype(np.int64)

    @property
    def one_hot(self) -> NDArray[np.float32]:
        """Class of each image, (n, classes)."""
        return np.eye(len(self.classes), dtype=np.float32)[self.labels]

    @property
    def hashes(self) -> tuple[str, ...]:
        """Pixel hash of each image, sha256 in hex."""
        return tuple(self.manifest["sha256"])

    def rows(self, part: Part) -> NDArray[np.int64]:
        """Rows of one part of the split, (k,)."""
        return np.flatnonzero((self.manifest["split"] == part).to_numpy())

    def train_counts(self) -> list[int]:
        """Number of training images of each class."""
        return [int(count) for count in np.bincount(self.labels[self.rows("train")], minlength=len(self.classes))]


def read_dataset(
    config: Config,
    image_list: ImageList,
    stage: Stage,
    cache: Cache | None = None,
    manifest: pd.DataFrame | None = None,
    split: bool = True,
) -> Dataset:
    """Decode every image once, group copies and split them; without `split` all are the test part.

    Args:
        manifest: a logged one, in which each image keeps its part of the split.

    Raises:
        UserError: An image is bad or altered, or copies have different labels, and `data` does not say to leave them out.
    """
    pixels = read_listed(image_list, config.backbone.image_size, stage, cache, grey=config.data.grey)
    bad = [image for image in pixels.bad if not image.is_no_image]
    if bad and config.data.on_bad_image == "stop":
        others = f" and {pluralize(len(bad) - 1, 'other')}" if len(bad) > 1 else ""
        raise UserError(
            f"can't read {image_list.root / bad[0].path} ({bad[0].reason}){others}: "
            "fix or remove it, or leave such images out with data.on_bad_image=skip"
        )
    if manifest is None:
        return dataset_of(config, image_list, pixels, split)
    annotated = annotate(image_list, pixels, config.data.dicom_patients)
    parts = annotated.images["path"].map(manifest.set_index("path")["split"])
    images = annotated.images.assign(split=parts)
    return Dataset(image_list.classes, pixels.images, images, pixels.bad, annotated.identity, grey=pixels.grey)


def read_listed(
    image_list: ImageList,
    size: int | None,
    stage: Stage,
    cache: Cache | None,
    hash_cache: HashCache | None = None,
    grey: str = "auto",
) -> ImagePixels:
    """Read the images of an image list. Files that it could not list are among the bad ones."""
    pixels = read_images(image_list.root, image_list.paths, size, stage, cache, hash_cache, grey)
    return replace(pixels, bad=tuple(sorted([*image_list.bad, *pixels.bad], key=lambda bad: bad.path)))


def dataset_of(config: Config, image_list: ImageList, pixels: ImagePixels, split: bool = True) -> Dataset:
    """Group and split images that were read.

    Raises:
        UserError: As `read_dataset` does, except for bad images.
    """
    annotated = annotate(image_list, pixels, config.data.dicom_patients)
    if changed := altered(image_list, annotated.images):
        modes = annotated.images.set_index("path")["mode"].reindex(changed).fillna("").astype(str)
        raise UserError(_describe_altered(changed, config, f" ({READ_OTHERWISE})" if modes.map(is_read_by_rules).any() else ""))
    kept, conflicts = np.arange(len(annotated.images)), annotated.conflicts
    if len(conflicts) and config.data.on_conflict == "stop":
        raise UserError(_describe_conflict(conflicts))
    exactly = (image_list.images["sha256"] != "").any()  # a manifest lists exactly the images to use
    leave_out = config.data.on_conflict == "leave_out" and not exactly
    if leave_out:
        kept = np.setdiff1d(kept, conflicts.index.to_numpy())
    images = annotated.images.iloc[kept].reset_index(drop=True)
    images = split_images(images, image_list.classes, config.split) if split else images.assign(split="test")
    part = (images["split"] != "").to_numpy()
    return Dataset(
        classes=image_list.classes,
        images=pixels.images.only(kept[part]),
        manifest=images[part].reset_index(drop=True),
        bad=pixels.bad,
        identity=annotated.identity,
        grey=pixels.grey,
        conflicts=conflicts.assign(left_out=leave_out),
        excluded=images[~part].reset_index(drop=True),
    )


def _describe_altered(changed: list[str], config: Config, why: str) -> str:
    first, more = ", ".join(changed[:3]), f" and {len(changed) - 3:,} more" if len(changed) > 3 else ""
    return (
        f"{pluralize(len(changed), 'image')} changed since data.manifest={config.data.manifest} was written: {first}{more}{why}. "
        "Bring them back, or write a new manifest with cxr data index"
    )


def _describe_conflict(conflicts: pd.DataFrame) -> str:
    first = conflicts[conflicts["copies"] == conflicts["copies"].iloc[0]]
    one, other = first.iloc[0], first[first["label"] != first["label"].iloc[0]].iloc[0]
    return (
        f"{pluralize(len(conflicts), 'image')} have copies with another label, for example {one['path']} ({one['label']}) and "
        f"{other['path']} ({other['label']}): correct the labels, or leave them out with data.on_conflict=leave_out"
    )
