"""What a set of images is like: by class, split and source, sizes, copies, and what could not be read."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cxr.data.images import BadImage
from cxr.data.sources import SourceShortcut, source_shortcut
from cxr.data.split import PARTS


@dataclass(frozen=True)
class Survey:
    """Counts for a person to read before anything is trained."""

    by_class: pd.DataFrame  # classes by part of the split, with totals
    by_source: pd.DataFrame  # sources by class, largest first; empty where no source is known
    shortcut: SourceShortcut | None
    sizes: pd.Series  # images by width x height, most frequent first
    modes: pd.Series  # images by mode
    groups: int  # of more than one image
    grouped: int  # images in those
    copies: int  # images that have the same pixels as another
    conflicts: pd.DataFrame
    bad: tuple[BadImage, ...]


def survey_of(images: pd.DataFrame, conflicts: pd.DataFrame, bad: Sequence[BadImage]) -> Survey:
    """Survey the rows of a manifest, and what was left out of it."""
    group_sizes = images.groupby("group")["group"].transform("size")
    by_class = pd.crosstab(images["label"], images["split"])
    by_class = by_class[[part for part in PARTS if part in by_class]].assign(all=by_class.sum(axis=1))
    known = images[images["source"] != ""]
    by_source = pd.crosstab(known["source"], known["label"])
    return Survey(
        by_class=pd.concat([by_class, by_class.sum().to_frame("all classes").T]),
        by_source=by_source.loc[by_source.sum(axis=1).sort_values(ascending=False, kind="stable").index],
        shortcut=source_shortcut(images["label"], images["source"]),
        sizes=(images["width"].astype(str) + " x " + images["height"].astype(str)).value_counts(),
        modes=images["mode"].value_counts(),
        groups=int((images.groupby("group").size() > 1).sum()),
        grouped=int((group_sizes > 1).sum()),
        copies=int(images["sha256"].duplicated(keep=False).sum()),
        conflicts=conflicts,
        bad=tuple(bad),
    )
