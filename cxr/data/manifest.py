"""The manifest: one row for each image, and the fingerprints of data and split."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from cxr.data.images.image_file import is_read_by_rules
from cxr.data.parts import PARTS
from cxr.data.safe_csv import read_csv, write_csv

COLUMNS = ("path", "label", "source", "group", "sha256", "phash", "width", "height", "mode", "split")
VIEW = "view"  # a further column, where a table has it
NEEDED = tuple(name for name in COLUMNS if name not in ("phash", "mode"))  # the first manifests had neither


def write_manifest(manifest: pd.DataFrame, path: Path) -> None:
    """Write the rows sorted by path, whole or not at all: the same bytes for the same images, in any order.

    Args:
        manifest: at least `COLUMNS`.
    """
    part = path.with_suffix(".part")
    write_csv(manifest.sort_values("path", kind="stable"), part)
    part.replace(path)


def read_manifest(path: Path) -> pd.DataFrame:
    """A manifest that was written before, with columns `COLUMNS` and those of `data.columns.more`.

    Raises:
        OSError, ValueError: The file is no manifest.
    """
    manifest = read_csv(path)
    if missing := set(NEEDED) - set(manifest.columns):
        raise ValueError(f"its manifest has no {', '.join(sorted(missing))}")
    columns = [*COLUMNS, *more_columns(manifest)]
    return manifest.reindex(columns=columns, fill_value="").astype({"width": int, "height": int})


def more_columns(manifest: pd.DataFrame) -> list[str]:
    """The columns besides `COLUMNS`: those of `data.columns.more`.

    Args:
        manifest: at least `COLUMNS`.
    """
    return [str(name) for name in manifest.columns if name not in COLUMNS]


READ_OTHERWISE = (
    "deep and DICOM images are read by other rules since version 0.3 (data.grey, and the section on pixels in docs/data.md)"
)
_OTHER = {"sha256": "with other pixels", "split": "in another part of the split"}


def changes(before: pd.DataFrame, now: pd.DataFrame, columns: Sequence[str] = ("sha256", "label", "split")) -> str:
    """What differs between two manifests, new and gone images and these columns of others, as a phrase; "" for nothing.

    Args:
        before, now: manifests.
    """
    both = before.merge(now, on="path", how="outer", suffixes=("_before", ""), indicator="side")
    common = both[both["side"] == "both"]
    counts: dict[str, float] = {"new": (both["side"] == "right_only").sum(), "gone": (both["side"] == "left_only").sum()}
    for name in columns:
        if f"{name}_before" in common:
            counts[_OTHER.get(name, f"with another {name}")] = _differs(common, name).sum()
    text = ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)
    by_rules = (
        common["mode"].fillna("").astype(str).map(is_read_by_rules) if "mode" in common else pd.Series(False, index=common.index)
    )
    return f"{text}; {READ_OTHERWISE}" if "sha256" in columns and (by_rules & _differs(common, "sha256")).any() else text


def _differs(common: pd.DataFrame, name: str) -> pd.Series:
    return common[f"{name}_before"].astype(str) != common[name].astype(str)


def data_fingerprint(manifest: pd.DataFrame) -> str:
    """Hash of paths, labels and pixels, 16 hex digits: equal for two runs on the same images.

    Args:
        manifest: columns path, label and sha256.
    """
    return _fingerprint(manifest, ["path", "label", "sha256"])


def split_fingerprint(manifest: pd.DataFrame) -> str:
    """Hash of paths, labels, pixels and parts, 16 hex digits: equal for two runs with the same images in the same parts.

    Args:
        manifest: the same, and split.
    """
    return _fingerprint(manifest, ["path", "label", "sha256", "split"])


def summary(manifest: pd.DataFrame) -> pd.DataFrame:
    """Number of images by class (rows) and part of the split (columns train, val and, where there is one, test).

    Args:
        manifest: columns label and split.
    """
    table = pd.crosstab(manifest["label"], manifest["split"])
    return table[[part for part in PARTS if part in table.columns]]


def _fingerprint(manifest: pd.DataFrame, columns: list[str]) -> str:
    rows = manifest[columns].sort_values("path", kind="stable").to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(rows.encode()).hexdigest()[:16]
