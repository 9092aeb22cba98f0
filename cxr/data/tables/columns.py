"""Which column of a table holds what: as the config names it, or else found by its usual names and its values."""

import re
from collections.abc import Callable, Collection
from dataclasses import fields

import pandas as pd

from cxr.config.schema import ColumnsConfig
from cxr.errors import UserError
from cxr.text import listed, nearest

# What tables of images call a column, without case, spaces and punctuation.
_USUAL = {
    "path": ("path", "file", "filename", "filepath", "image", "imagefile", "imagepath", "imagename", "imageindex", "imageid"),
    "label": ("label", "class", "classname", "diagnosis", "finding", "findinglabels", "target", "category", "pathology", "disease"),
    "source": ("source", "hospital", "site", "institution", "center", "centre", "dataset"),
    "group": ("group", "patient", "patientid", "subject", "subjectid"),
    "split": ("split", "part", "partition", "subset", "set"),
    "view": ("view", "viewposition", "appa", "projection"),
}
_NEEDED = ("path", "label")
_DEFAULTS = {item.name: item.default for item in fields(ColumnsConfig)}
_LOOKED_AT = 100  # values of a column, to know whether they are files


def columns_of(
    table: pd.DataFrame,
    columns: ColumnsConfig,
    holds_files: Callable[[pd.Series], bool],
    file: str,
    roles: Collection[str] = tuple(_USUAL),
) -> dict[str, str]:
    """The column of `table` for path, label, and as far as there are such, source, group, split and view.

    Args:
        table: text, a row an image.
        columns: names; a default name that the table lacks is looked for by its usual spellings.
        holds_files: whether values name files below the root.
        file: the table's name in messages.
        roles: those to look for.

    Raises:
        UserError: a needed or a named column is missing, or two columns may be meant.
    """
    chosen: dict[str, str] = {}
    for role, usual in _USUAL.items():
        name = getattr(columns, role)
        if name is None or role not in roles:
            continue
        if name in table.columns:
            chosen[role] = name
        elif name != _DEFAULTS[role]:
            raise _missing(role, name, table, file)
        elif matches := _matches(role, usual, table, holds_files):
            if len(matches) > 1 and role in _NEEDED:
                raise UserError(
                    f"{file} has several columns that may be the {role}, {listed(matches)}: choose one, data.columns.{role}=COLUMN"
                )
            chosen[role] = matches[0]
        elif role in _NEEDED:
            raise _missing(role, name, table, file)
    return chosen


def _matches(role: str, usual: tuple[str, ...], table: pd.DataFrame, holds_files: Callable[[pd.Series], bool]) -> list[str]:
    by_name = [str(name) for name in table.columns if re.sub(r"[\W_]+", "", str(name).lower()) in usual]
    if role != "path":
        return by_name
    looked_at = table.head(_LOOKED_AT)
    of_files = [name for name in by_name if holds_files(looked_at[name])]
    return of_files or [str(name) for name in table.columns if holds_files(looked_at[name])] or by_name[:1]


def _missing(role: str, name: str, table: pd.DataFrame, file: str) -> UserError:
    hint = nearest(name, map(str, table.columns))
    return UserError(f"{file} has no column {name}: {hint}; name yours with data.columns.{role}=COLUMN")
