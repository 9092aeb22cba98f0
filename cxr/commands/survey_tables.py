"""A survey of a set of images, printed as tables."""

import pandas as pd
from rich import box
from rich.table import Table

from cxr.data.dataset import Dataset
from cxr.data.survey import Survey, survey_of
from cxr.progress import wide_console
from cxr.text import pluralize

_MOST = 12  # rows of a table, or kinds in a line


def print_survey(dataset: Dataset) -> None:
    """Tables by class and by source, and lines on sizes, copies, sources and excluded images."""
    out, survey = wide_console(), survey_of(dataset.manifest)
    out.print(_table(survey.by_class, "class"))
    if len(survey.by_source):
        out.print(_table(survey.by_source.head(_MOST), "source"))
        if len(survey.by_source) > _MOST:
            out.print(f"  and {pluralize(len(survey.by_source) - _MOST, 'more source')}")
    for line in [*_lines(survey), *_left_out(dataset)]:
        out.print(f"  {line}", soft_wrap=True)


def _table(counts: pd.DataFrame, what: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(what, overflow="fold")
    for name in counts.columns:
        table.add_column(str(name), justify="right")
    for label, row in counts.iterrows():
        table.add_row(str(label), *(f"{count:,}" for count in row))
    return table


def _lines(survey: Survey) -> list[str]:
    lines = [f"Sizes: {_kinds(survey.sizes)}", f"Modes: {_kinds(survey.modes)}"]
    if survey.groups:
        copies = f", {pluralize(survey.copies, 'image')} equal to another to the pixel" if survey.copies else ""
        lines.append(
            f"Groups: {pluralize(survey.groups, 'group')} of {pluralize(survey.grouped, 'image')} that belong together{copies}"
        )
    else:
        lines.append("Groups: none; no two images are copies, and no patient is known to have two")
    if (shortcut := survey.shortcut) is None:
        lines.append("Sources: not known, so it can't be tested whether the network learns the disease or the hospital")
    else:
        lines.append(shortcut.text)
    return lines


def _kinds(counts: pd.Series) -> str:
    told = [f"{name} ({count:,})" for name, count in counts.head(_MOST).items()]
    return ", ".join([*told, *([f"and {len(counts) - _MOST} more"] if len(counts) > _MOST else [])])


def _left_out(dataset: Dataset) -> list[str]:
    """Excluded images, and copies with conflicting labels."""
    kept = "Left out" if dataset.conflicts["left_out"].any() else "Kept"
    return [
        f"{what}: {pluralize(count, 'image')} {why}"
        for what, count, why in (
            (kept, len(dataset.conflicts), "whose copies have another label; cxr data check lists them"),
            ("Left out", len(dataset.bad), "that can't be read; cxr data check lists them"),
            ("Left out", len(dataset.excluded), "whose source is not known, or whose copy is in the test source"),
        )
        if count
    ]
