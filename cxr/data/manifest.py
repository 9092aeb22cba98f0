"""The manifest: one row an image, and the fingerprints that tell whether two runs saw the same data and split."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from cxr.config import SplitConfig
from cxr.data.decoded import Pixels
from cxr.data.folders import ImageFolder
from cxr.data.split import assign_parts, part_names
from cxr.errors import Mistake
from cxr.words import in_words

COLUMNS = ("path", "label", "source", "group", "sha256", "width", "height", "split")


def make_manifest(images: ImageFolder, pixels: Pixels, split: SplitConfig) -> pd.DataFrame:
    """Describe every image that was read, in the order of `pixels`; its columns are `COLUMNS`.

    `group` is the pixel hash, so exact copies never lie on both sides of a split; `source` is not known yet.
    Raises `Mistake` where a class has no image left for one of the parts.
    """
    label_of = dict(zip(images.paths, images.labels, strict=True))
    labels = [label_of[path] for path in pixels.paths]
    hashes = [fact.sha256 for fact in pixels.facts]
    manifest = pd.DataFrame(
        {
            "path": pixels.paths,
            "label": [images.classes[label] for label in labels],
            "source": "",
            "group": hashes,
            "sha256": hashes,
            "width": [fact.width for fact in pixels.facts],
            "height": [fact.height for fact in pixels.facts],
            "split": assign_parts(hashes, labels, split),
        },
        columns=list(COLUMNS),
    )
    counts = manifest.groupby(["label", "split"]).size()
    for name in images.classes:
        for part in part_names(split):
            if (name, part) not in counts.index:
                raise Mistake(
                    f"class {name} has no image left for the {part} part of the split: add images or leave it out with data.classes"
                )
    return manifest


def only_those_of(manifest: pd.DataFrame, images: ImageFolder) -> ImageFolder:
    """The images of a folder that a manifest names; raises `Mistake` where one is missing or in another class's folder."""
    there = {path: images.classes[label] for path, label in zip(images.paths, images.labels, strict=True)}
    wanted = dict(zip(manifest["path"], manifest["label"], strict=True))
    missing = sorted(path for path in wanted if path not in there)
    if missing:
        raise Mistake(
            f"{in_words(len(missing), 'image')} of the manifest are not in {images.root}, the first of them {missing[0]}: "
            "give the folder that has them as data.root=FOLDER"
        )
    moved = sorted(path for path, label in wanted.items() if there[path] != label)
    if moved:
        raise Mistake(f"{moved[0]} is of class {there[moved[0]]} in {images.root}, and of {wanted[moved[0]]} in the manifest")
    kept = [(path, label) for path, label in zip(images.paths, images.labels, strict=True) if path in wanted]
    return replace(images, paths=tuple(path for path, _ in kept), labels=tuple(label for _, label in kept))


def write_manifest(manifest: pd.DataFrame, path: Path) -> None:
    """Write the rows sorted by path: the same bytes for the same images, whatever the order they were found in."""
    manifest.sort_values("path", kind="stable").to_csv(path, index=False, lineterminator="\n")


def data_fingerprint(manifest: pd.DataFrame) -> str:
    """Hash of paths, labels and pixels, 16 hex digits: equal for two runs on the same images."""
    return _fingerprint(manifest, ["path", "label", "sha256"])


def split_fingerprint(manifest: pd.DataFrame) -> str:
    """Hash of paths, labels, pixels and parts, 16 hex digits: equal for two runs with the same images on the same sides."""
    return _fingerprint(manifest, ["path", "label", "sha256", "split"])


def summary(manifest: pd.DataFrame) -> pd.DataFrame:
    """Number of images by class (rows) and part of the split (columns train, val and, where there is one, test)."""
    table = pd.crosstab(manifest["label"], manifest["split"])
    return table[[part for part in ("train", "val", "test") if part in table.columns]]


def rows_of(manifest: pd.DataFrame, part: str) -> np.ndarray:
    """Row numbers of one part of the split, (n,) int64, ascending."""
    return np.flatnonzero((manifest["split"] == part).to_numpy())


def _fingerprint(manifest: pd.DataFrame, columns: list[str]) -> str:
    rows = manifest[columns].sort_values("path", kind="stable").to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(rows.encode()).hexdigest()[:16]
