"""A survey of a set of images: counts by class, split and source, sizes, copies."""

from dataclasses import dataclass

import pandas as pd

from cxr.data.identity.groups import of_several
from cxr.data.manifest import summary
from cxr.data.source_shortcut import SourceShortcut, source_shortcut


@dataclass(frozen=True)
class Survey:
    """Counts of a set of images."""

    by_class: pd.DataFrame  # classes by part of the split, with totals
    by_source: pd.DataFrame  # sources by class, largest first; empty where no source is known
    shortcut: SourceShortcut | None
    sizes: pd.Series  # images by width x height, most frequent first
    modes: pd.Series  # images by mode
    groups: int  # of more than one image
    grouped: int  # images in those
    copies: int  # images that have the same pixels as another


def survey_of(manifest: pd.DataFrame) -> Survey:
    """Survey the rows of a manifest."""
    groups = of_several(manifest["group"])
    by_class = summary(manifest)
    by_class = by_class.assign(all=by_class.sum(axis=1))
    known = manifest[manifest["source"] != ""]
    by_source = pd.crosstab(known["source"], known["label"])
    return Survey(
        by_class=pd.concat([by_class, by_class.sum().to_frame("all classes").T]),
        by_source=by_source.loc[by_source.sum(axis=1).sort_values(ascending=False, kind="stable").index],
        shortcut=source_shortcut(manifest["label"], manifest["source"]),
        sizes=(manifest["width"].astype(str) + " x " + manifest["height"].astype(str)).value_counts(),
        modes=manifest["mode"].value_counts(),
        groups=len(groups),
        grouped=int(groups.sum()),
        copies=int(manifest["sha256"].duplicated(keep=False).sum()),
    )
