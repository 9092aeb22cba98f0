"""A table of a user's as text columns: CSV with any separator and in the usual encodings, Excel, or Parquet."""

import csv
from io import StringIO
from pathlib import Path

import pandas as pd

PARQUET, EXCEL, TEXT = (".parquet", ".pq"), (".xlsx", ".xlsm"), (".csv", ".tsv", ".txt")
SUFFIXES = (*TEXT, *EXCEL, *PARQUET)
_DELIMITERS = ",;\t|"
_OTHERS = (".xls", ".xlsb", ".ods", ".numbers")
_ENCODINGS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))  # by their byte order mark


def read_columns(file: Path) -> pd.DataFrame:
    """All columns of a table as text, "" for empty cells. No text is taken for a missing value: NA may be a class.

    Raises:
        ValueError, OSError: the table can't be read; the text says how to save it.
    """
    suffix = file.suffix.lower()
    if suffix in PARQUET:
        return _read_parquet(file)
    if suffix in EXCEL:
        return _read_excel(file)
    if suffix in _OTHERS:
        raise ValueError(f"a {suffix} file is not read: save it as .xlsx or as CSV UTF-8")
    return _of_text(_decoded(file.read_bytes()))


def _decoded(content: bytes) -> str:
    """The text of a table: by its byte order mark, else UTF-8, else as Windows writes Western European text."""
    marked = next((name for mark, name in _ENCODINGS if content.startswith(mark)), "utf-8")
    for encoding in (marked, "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ValueError("its encoding is not known: save it as CSV UTF-8")


def _of_text(text: str) -> pd.DataFrame:
    lines = StringIO(text, newline="")
    first = lines.readline()
    delimiter = max(_DELIMITERS, key=first.count)
    if first.lower().startswith("sep=") and len(first.strip()) == 5:  # as Excel marks the separator
        delimiter = first[4]
    else:
        lines.seek(0)
    try:
        header, *rows = [row for row in csv.reader(lines, delimiter=delimiter) if any(row)] or [[]]
    except csv.Error as error:
        raise ValueError(f"{error}; save it as CSV UTF-8") from None
    while header and not header[-1] and all(len(row) == len(header) and not row[-1] for row in rows):
        header, rows = header[:-1], [row[:-1] for row in rows]  # a column that a spreadsheet left empty
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise ValueError(f"row {number} has {len(row)} columns and the first row {len(header)}")
    return _with_header(pd.DataFrame(rows, columns=header, dtype=str))


def _with_header(table: pd.DataFrame) -> pd.DataFrame:
    """The table with plain names of columns; raises `ValueError` for two of one name."""
    names = [str(name).strip() for name in table.columns]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"two of its columns are called {twice[0]}")
    return table.set_axis(names, axis="columns")


def _read_excel(file: Path) -> pd.DataFrame:
    """The first sheet."""
    try:
        cells = pd.read_excel(file, header=None, dtype=object, na_filter=False)
    except (MemoryError, OSError):
        raise
    except Exception as error:  # of openpyxl, zipfile and XML, which raise nearly anything on a damaged file
        raise ValueError(f"{type(error).__name__}: {str(error)[:200]}; save it again as .xlsx or as CSV UTF-8") from None
    rows = [[_text_of(cell) for cell in row] for row in cells.to_numpy().tolist()]
    header, *rows = [row for row in rows if any(row)] or [[]]
    filled = [place for place, name in enumerate(header) if name or any(row[place] for row in rows)]
    return _with_header(
        pd.DataFrame([[row[place] for place in filled] for row in rows], columns=[header[place] for place in filled], dtype=str)
    )


def _text_of(cell: object) -> str:
    """A cell as a person reads it: whole numbers without a point."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None or cell != cell else str(cell)


def _read_parquet(file: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(file)
        return table.astype(object).where(table.notna(), "").astype(str)
    except MemoryError:
        raise
    except Exception as error:  # of pyarrow and pandas, which raise nearly anything on columns that are not text or numbers
        raise ValueError(f"{type(error).__name__}: {str(error)[:200]}") from None
