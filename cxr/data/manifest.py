"""The manifest: one row an image, and the fingerprints that tell whether two runs saw the same data and split."""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import pandas as pd

from cxr.config import SplitConfig
from cxr.data.decoded import Pixels
from cxr.data.groups import copies, joined
from cxr.data.images import Decoded
from cxr.data.listing import Listing
from cxr.data.perceptual import Looks
from cxr.data.split import assign_parts, check_groups, part_names
from cxr.errors import Mistake

COLUMNS = ("path", "label", "source", "group", "sha256", "phash", "width", "height", "mode", "split")
_TEXT = tuple(name for name in COLUMNS if name not in ("width", "height"))
_FILMS_OF_ONE = 20  # DICOM files, which one patient may well have
NEEDED = ("path", "label", "source", "group", "sha256", "width", "height", "split")  # of a manifest, however old


@dataclass(frozen=True)
class Described:
    """Images that were read, row by row as `pixels` has them, with `COLUMNS` but the split; and copies that disagree.

    `conflicts` has those rows whose copies or near copies have another label, with a column `copies` that names the set.
    """

    images: pd.DataFrame
    conflicts: pd.DataFrame


def describe(listing: Listing, pixels: Pixels, dicom_patients: bool = True) -> Described:
    """Put together what is known of every image that was read.

    Its group is the smallest pixel hash among all images that it is a copy or near copy of, or shares the user's own group or a
    DICOM patient with, directly or through others.
    """
    said = listing.images.set_index("path").loc[list(pixels.paths)].reset_index()
    facts = pd.DataFrame({field.name: [getattr(fact, field.name) for fact in pixels.facts] for field in fields(Decoded)})
    patients = facts["patient"] if dicom_patients else facts["patient"].mask(facts["patient"] != "", "")
    _check_patients(patients)
    looks = Looks.of([fact.look for fact in pixels.facts])
    same_image = copies(list(facts["sha256"]), looks)
    images = pd.DataFrame(
        {
            "path": said["path"],
            "label": said["label"],
            "source": said["source"],
            "group": joined(facts["sha256"], same_image, said["group"].str.strip(), patients),
            "phash": looks.phashes,
            **{name: facts[name] for name in ("sha256", "width", "height", "mode")},
            "split": said["split"],
        },
        columns=list(COLUMNS),
    )
    labels = images["label"].groupby(same_image).transform("nunique")
    return Described(images, images.assign(copies=same_image)[labels > 1])


def _check_patients(patients: pd.Series) -> None:
    """Raise `Mistake` where one id is on so many films that it can't be a patient's."""
    films = patients[patients != ""].value_counts()
    if len(films) and films.iloc[0] > max(_FILMS_OF_ONE, films.sum() / 2):
        raise Mistake(
            f"{films.iloc[0]:,} of {films.sum():,} DICOM films have the same PatientID, which no patient has: if it is a "
            "stand-in, add data.dicom_patients=false, and name patients in a column of data.manifest if you know them"
        )


def split_images(images: pd.DataFrame, classes: tuple[str, ...], split: SplitConfig) -> pd.DataFrame:
    """The same rows with the part of each.

    Raises `Mistake` where a class has no image left for one of the parts, and where a group would be torn apart.
    """
    if images.empty:
        raise Mistake("no image is left to train on: cxr data check says what is wrong with each")
    images = images.assign(split=assign_parts(images, split))
    check_groups(images)
    counts = images.groupby(["label", "split"]).size()
    for name in classes:
        for part in part_names(split):
            if (name, part) not in counts.index:
                raise Mistake(
                    f"class {name} has no image left for the {part} part of the split: add images or leave it out with data.classes"
                )
    return images


def altered(listing: Listing, images: pd.DataFrame) -> list[str]:
    """Paths whose pixels are not those that the listing expects, or that could not be read; sorted.

    None where the listing does not come from a manifest.
    """
    found = dict(zip(images["path"], images["sha256"], strict=True))
    expected = zip(listing.images["path"], listing.images["sha256"], strict=True)
    return [path for path, sha256 in expected if sha256 and found.get(path) != sha256]


def write_manifest(manifest: pd.DataFrame, path: Path) -> None:
    """Write the rows sorted by path: the same bytes for the same images, whatever the order they were found in; whole or not."""
    with NamedTemporaryFile("w", dir=path.parent, delete=False, newline="", encoding="utf-8") as file:
        manifest.sort_values("path", kind="stable").to_csv(file, index=False, lineterminator="\n")
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def read_manifest(path: Path) -> pd.DataFrame:
    """A manifest that was written before; raises `OSError` or `ValueError` for anything else."""
    found = pd.read_csv(path, dtype=dict.fromkeys(_TEXT, str), keep_default_na=False)
    if missing := set(NEEDED) - set(found.columns):
        raise ValueError(f"its manifest has no {', '.join(sorted(missing))}")
    return found.reindex(columns=list(COLUMNS), fill_value="")


def changes(before: pd.DataFrame, now: pd.DataFrame) -> str:
    """What differs between two manifests of the same images, in words; "" for nothing."""
    both = before.merge(now, on="path", how="outer", suffixes=("_before", ""), indicator="there")
    common = both[both["there"] == "both"]
    counts = {
        "new": (both["there"] == "right_only").sum(),
        "gone": (both["there"] == "left_only").sum(),
        "with other pixels": (common["sha256_before"] != common["sha256"]).sum(),
        "with another label": (common["label_before"] != common["label"]).sum(),
        "in another part of the split": (common["split_before"] != common["split"]).sum(),
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


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
