"""A source: a table with one row for each image and columns of any name."""

import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pandas as pd

from cxr.config.schema import DataConfig
from cxr.data.image_list import ImageList, counted_as, has_clear_label, image_list_of
from cxr.data.manifest import NEEDED, more_columns
from cxr.data.safe_csv import unmarked
from cxr.data.tables.columns import columns_of
from cxr.data.tables.file import read_columns
from cxr.data.tables.named_files import NamedFiles
from cxr.errors import UserError
from cxr.progress import Stage
from cxr.system import expanded
from cxr.text import nearest, pluralize


def root_of(data: DataConfig, stage: Stage) -> Path:
    """The folder that paths of the table are relative to: that of the table unless `data.root` names another."""
    assert data.manifest is not None
    return expanded(data.root or Path(data.manifest).parent)


def find(data: DataConfig, root: Path) -> ImageList:
    """The images that the table `data.manifest` lists."""
    assert data.manifest is not None
    return read_table(expanded(data.manifest), root, data)


def read_table(file: Path, root: Path, data: DataConfig) -> ImageList:
    """The images that a table lists, of the chosen classes.

    Paths are relative to `root`; absolute ones have to lie below it. A path that is not there is looked for from its first folder
    on, and by its name, with or without its suffix. A table with all columns of a manifest that cxr wrote is one, and the images
    have to have its hashes.

    Raises:
        UserError: The table can't be read, a column or class is missing, or a path leaves the root or has two labels.
    """
    rows, files = _read(file), NamedFiles(root)
    if rows.empty:
        raise UserError(f"{file} lists no images: it should have a row for each, below one with the names of its columns")
    is_manifest = set(NEEDED) <= set(rows.columns)
    if is_manifest:
        rows = unmarked(rows)
    columns = columns_of(rows, data.columns, files.are_named, str(file))
    for name in data.columns.more:
        if name not in rows.columns:
            raise UserError(f"{file} has no column {name}, which data.columns.more names: {nearest(name, map(str, rows.columns))}")
    if columns.get("view") in data.columns.more:
        del columns["view"]  # kept under its own name
    table = pd.DataFrame({name: rows[column] for name, column in (columns | {name: name for name in data.columns.more}).items()})
    if is_manifest:
        table = table.assign(sha256=rows["sha256"].to_numpy())
    else:
        table = table.apply(lambda column: column if column.name == "path" else column.str.strip())
    table["path"] = files.found([_inside(str(path), root, file) for path in table["path"]])
    table = table.drop_duplicates(["path", "label"], ignore_index=True)  # a row for each box of a finding
    twice = table["path"][table["path"].duplicated()]
    if len(twice):
        raise UserError(f"{file} lists {twice.iloc[0]} with several labels: give it one, in one row")
    if data.on_bad_image == "stop":
        _check_present(root, table["path"], str(file))
    images = _of_classes(root, table, data, file)
    return replace(images, reading=" ".join([*_reading(columns), *_several(images.images["label"])]))


def _reading(columns: dict[str, str]) -> list[str]:
    """Which columns were taken by looking, in a sentence."""
    looked_up = [f"{role} from {column}" for role, column in columns.items() if role != column]
    return [f"Columns of the table: {', '.join(looked_up)}. Others: data.columns.NAME=COLUMN."] if looked_up else []


def _several(labels: pd.Series) -> list[str]:
    """How many images have several findings in one label, in a sentence."""
    several = labels[labels.str.contains("|", regex=False)]
    if several.empty:
        return []
    return [
        f"{pluralize(len(several), 'image')} of several findings, as {several.iloc[0]}: each combination is a class of its own; "
        "choose classes with data.classes, or merge them with data.merge."
    ]


def logged_images(manifest: pd.DataFrame, root: Path, data: DataConfig) -> ImageList:
    """The images of a manifest that a run logged, below `root`; their pixels may have changed.

    Args:
        manifest: at least its columns path, label, source, group and split.

    Raises:
        UserError: As of `read_table`.
    """
    name = "the run's manifest"
    table = manifest[["path", "label", "source", "group", "split", *more_columns(manifest)]].assign(sha256="")
    table["path"] = [_inside(str(path), root, name) for path in table["path"]]
    _check_present(root, table["path"], name)
    return _of_classes(root, table, data, name)


def _check_present(root: Path, paths: Iterable[str], listed_by: str) -> None:
    """Raise `UserError` if a listed file does not exist."""
    absent = sorted(path for path in paths if not os.path.isfile(root / path))  # noqa: PTH113 - of Path it raises for long names
    if absent:
        raise UserError(
            f"{pluralize(len(absent), 'image')} of {listed_by} {'is' if len(absent) == 1 else 'are'} not in {root}, the first of "
            f"them {absent[0]}: give the folder that paths start from as data.root=FOLDER"
        )


def _read(file: Path) -> pd.DataFrame:
    """All columns as text, "" for empty cells."""
    if not file.is_file():
        raise UserError(
            f"data.manifest={file} {'is a folder' if file.is_dir() else 'does not exist'}: give a CSV, Excel or Parquet file"
        )
    try:
        return read_columns(file)
    except (OSError, ValueError) as error:
        raise UserError(f"data.manifest={file} can't be read as a table ({' '.join(str(error).split())})") from None


def _inside(path: str, root: Path, file: Path | str) -> str:
    """A path below the root, with forward slashes; raises `UserError` for one that is not."""
    exists = os.path.exists(root / path)  # noqa: PTH110 - that of Path raises for names that are too long
    pure = PurePosixPath(path if exists else path.strip().replace("\\", "/"))
    if pure.is_absolute():
        for top in (root.absolute(), root.resolve()):
            if pure.is_relative_to(top.as_posix()):
                pure = pure.relative_to(top.as_posix())
                break
    if not has_clear_label(path):
        raise UserError(f"{file} lists {path!a}, which is not text in one line: rename that file")
    if not pure.name or pure.is_absolute() or ".." in pure.parts or (len(path) > 1 and path[1] == ":"):
        raise UserError(f"{file} lists {path!r}, which is not below {root}: give the folder that has them all as data.root=FOLDER")
    return pure.as_posix()


def _of_classes(root: Path, table: pd.DataFrame, data: DataConfig, file: Path | str) -> ImageList:
    labels = table["label"]
    if (labels == "").any():
        raise UserError(f"{file} has no label for {table['path'][labels == ''].iloc[0]}: give it one or leave the row out")
    present = sorted(set(labels))
    parts = {part for whole, merged in data.merge.items() for part in merged if part != whole}
    if "sha256" in table and not parts & set(present):  # a manifest of cxr's: merged already
        names = {whole: whole for whole in counted_as(data, sorted({*present, *parts})).values()}
    else:
        names = counted_as(data, present)
    for name in names:
        if name not in present:
            raise UserError(f"{file} has no image of class {name}: {nearest(name, present)}; name yours with data.classes")
    chosen = table[labels.isin(list(names))].assign(label=labels.map(names))
    return image_list_of(root, tuple(dict.fromkeys(names.values())), chosen)
