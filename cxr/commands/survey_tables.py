"""A survey of a set of images, printed as tables: counts by class, split and source, sizes, copies."""

import pandas as pd
from rich import box
from rich.table import Table

from cxr.data.dataset import Dataset
from cxr.data.identity.groups import of_several
from cxr.data.manifest import summary
from cxr.data.source_shortcut import source_shortcut
from cxr.progress import wide_console
from cxr.text import pluralize

_MOST = 12  # rows of a table, or kinds in a line


def print_survey(dataset: Dataset) -> None:
    """Print tables by class and by source, and lines on sizes, copies, sources and excluded images."""
    out, manifest = wide_console(), dataset.manifest
    by_class = summary(manifest)
    by_class = by_class.assign(all=by_class.sum(axis=1))
    out.print(_table(pd.concat([by_class, by_class.sum().to_frame("all classes").T]), "class"))
    known = manifest[manifest["source"] != ""]
    by_source = pd.crosstab(known["source"], known["label"])
    if len(by_source):
        largest = by_source.sum(axis=1).sort_values(ascending=False, kind="stable").index
        out.print(_table(by_source.loc[largest].head(_MOST), "source"))
        if len(by_source) > _MOST:
            out.print(f"  and {pluralize(len(by_source) - _MOST, 'more source')}")
    for line in [*_lines(manifest), *_left_out(dataset)]:
        out.print(f"  {line}", soft_wrap=True)


def _table(counts: pd.DataFrame, what: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(what, overflow="fold")
    for name in counts.columns:
        table.add_column(str(name), justify="right")
    for label, row in counts.iterrows():
        table.add_row(str(label), *(f"{count:,}" for count in row))
    return table


def _lines(manifest: pd.DataFrame) -> list[str]:
    sizes = manifest["width"].astype(str) + " x " + manifest["height"].astype(str)
    groups, copies = of_several(manifest["group"]), int(manifest["sha256"].duplicated(keep=False).sum())
    grouped = "Groups: none; no two images are copies, and no patient is known to have two"
    if len(groups):
        several = f"{pluralize(len(groups), 'group')} of {pluralize(int(groups.sum()), 'image')}"
        equal = f", {pluralize(copies, 'image')} equal to another to the pixel" if copies else ""
        grouped = f"Groups: {several} that belong together{equal}"
    shortcut = source_shortcut(manifest["label"], manifest["source"])
    unknown = "Sources: not known, so it can't be tested whether the network learns the disease or the hospital"
    return [f"Sizes: {_kinds(sizes)}", f"Modes: {_kinds(manifest['mode'])}", grouped, shortcut.text if shortcut else unknown]


def _kinds(values: pd.Series) -> str:
    counts = values.value_counts()
    kinds = [f"{name} ({count:,})" for name, count in counts.head(_MOST).items()]
    return ", ".join([*kinds, *([f"and {len(counts) - _MOST} more"] if len(counts) > _MOST else [])])


def _left_out(dataset: Dataset) -> list[str]:
    """Lines on excluded images, and on copies with conflicting labels."""
    conflicts = "Left out" if dataset.conflicts["left_out"].any() else "Kept"
    return [
        f"{what}: {pluralize(count, 'image')} {why}"
        for what, count, why in (
            (conflicts, len(dataset.conflicts), "whose copies have another label; cxr data check lists them"),
            ("Left out", len(dataset.bad), "that can't be read; cxr data check lists them"),
            ("Left out", len(dataset.excluded), "whose source is not known, or whose copy is in the test source"),
        )
        if count
    ]
