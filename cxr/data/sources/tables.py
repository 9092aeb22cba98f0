"""A source: a CSV or Parquet table with one row for each image and columns of any name."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pandas as pd

from cxr.config.schema import DataConfig
from cxr.data.image_list import COLUMNS, ImageList, counted_as, has_clear_label, image_list_of
from cxr.data.manifest import NEEDED, more_columns
from cxr.data.safe_csv import unmarked
from cxr.errors import UserError
from cxr.progress import Stage
from cxr.text import nearest, pluralize

_REQUIRED = ("path", "label")
_PARQUET = (".parquet", ".pq")
_DELIMITERS = ",;\t"


def root_of(data: DataConfig, stage: Stage) -> Path:
    """The folder that paths of the table are relative to: that of the table unless `data.root` names another."""
    assert data.manifest is not None
    return Path(data.root or Path(data.manifest).parent).expanduser()


def find(data: DataConfig, root: Path) -> ImageList:
    """The images that the table `data.manifest` lists."""
    assert data.manifest is not None
    return read_table(Path(data.manifest).expanduser(), root, data)


def read_table(file: Path, root: Path, data: DataConfig) -> ImageList:
    """The images that a table lists, of the chosen classes.

    Paths are relative to `root`; absolute ones have to lie below it. A table with all columns of a manifest that cxr wrote is one,
    and the images have to have its hashes.

    Raises:
        UserError: The table can't be read, a column or class is missing, or a path leaves the root or comes twice.
    """
    rows = _read(file)
    if set(NEEDED) <= set(rows.columns):
        rows = unmarked(rows)
        table = _renamed(rows, data, file).assign(sha256=rows["sha256"].to_numpy())
    else:
        table = _renamed(rows, data, file).apply(lambda column: column if column.name == "path" else column.str.strip())
    table["path"] = [_inside(str(path), root, file) for path in table["path"]]
    twice = table["path"][table["path"].duplicated()]
    if len(twice):
        raise UserError(f"{file} lists {twice.iloc[0]} more than once: one row for each image")
    if data.on_bad_image == "stop":
        _check_present(root, table["path"], str(file))
    return _of_classes(root, table, data, file)


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
        raise UserError(f"data.manifest={file} {'is a folder' if file.is_dir() else 'does not exist'}: give a CSV or Parquet file")
    try:
        return _read_parquet(file) if file.suffix.lower() in _PARQUET else _read_csv(file)
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"data.manifest={file} can't be read as CSV or Parquet ({' '.join(str(error).split())})") from None


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(file)
        return table.astype(object).where(table.notna(), "").astype(str)
    except MemoryError:
        raise
    except Exception as error:  # of pyarrow and pandas, which raise nearly anything on columns that are not text or numbers
        raise ValueError(f"{type(error).__name__}: {str(error)[:200]}") from None


def _read_csv(file: Path) -> pd.DataFrame:
    # utf-8-sig: spreadsheets put a byte order mark first. No text is taken for a missing value: NA may be a class.
    with file.open(encoding="utf-8-sig", newline="") as lines:
        delimiter = max(_DELIMITERS, key=lines.readline().count)
        lines.seek(0)
        header, *rows = [row for row in csv.reader(lines, delimiter=delimiter) if any(row)] or [[]]
    while header and not header[-1] and all(len(row) == len(header) and not row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]  # a column that a spreadsheet left empty
    header = [name.strip() for name in header]
    if twice := [name for name in header if header.count(name) > 1]:
        raise ValueError(f"two of its columns are called {twice[0]}")
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} columns and the first row {len(header)}")
    return pd.DataFrame(rows, columns=header, dtype=str)


def _renamed(table: pd.DataFrame, data: DataConfig, file: Path) -> pd.DataFrame:
    """The table with the columns of an image list."""
    theirs = {name: getattr(data.columns, name, None) for name in COLUMNS}
    for name in _REQUIRED:
        if theirs[name] not in table.columns:
            hint = nearest(str(theirs[name]), map(str, table.columns))
            raise UserError(f"{file} has no column {theirs[name]}: {hint}; name yours with data.columns.{name}=COLUMN")
    for name in data.columns.more:
        if name not in table.columns:
            raise UserError(f"{file} has no column {name}, which data.columns.more names: {nearest(name, map(str, table.columns))}")
    chosen = {name: column for name, column in theirs.items() if column in table.columns}
    chosen |= {name: name for name in data.columns.more}
    return pd.DataFrame({name: table[column] for name, column in chosen.items()}).reset_index(drop=True)


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
