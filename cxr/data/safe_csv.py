"""CSV files that are safe to open in a spreadsheet: text that looks like a formula is marked as text."""

import re
from pathlib import Path

import pandas as pd

_FORMULA = r"'*[=+\-@\t\r]"  # what a spreadsheet takes for a formula when a cell begins with it (OWASP, "CSV Injection")


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table; `read_csv` gives the same text back.

    Args:
        frame: without its index.
    """
    marked(frame).to_csv(path, index=False, lineterminator="\n")


def read_csv(path: Path) -> pd.DataFrame:
    """Read a table of `write_csv`, all columns as text, "" for empty cells.

    Raises:
        OSError, ValueError: `write_csv` did not write the file.
    """
    return unmarked(pd.read_csv(path, dtype=str, keep_default_na=False))


def marked(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows with an apostrophe before each text that a spreadsheet would run.

    Args:
        frame: texts and numbers.

    >>> marked(pd.DataFrame({"label": ["=1+1", "COVID"], "loss": [-1.0, 1.0]}))["label"].tolist()
    ["'=1+1", 'COVID']
    """
    return _replaced(frame, rf"\A({_FORMULA})", r"'\1")


def unmarked(frame: pd.DataFrame) -> pd.DataFrame:
    """The same rows without the apostrophes that `marked` put there.

    Args:
        frame: one of `marked`.
    """
    return _replaced(frame, rf"\A'({_FORMULA})", r"\1")


def _replaced(frame: pd.DataFrame, pattern: str, by: str) -> pd.DataFrame:
    def change(value: object) -> object:
        return re.sub(pattern, by, value) if isinstance(value, str) else value

    texts = [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    return frame.assign(**{name: frame[name].map(change) for name in texts})
