"""Where images come from, and how much of the label that gives away."""

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import pandas as pd

from cxr.data.listing import Listing
from cxr.errors import Mistake

# The radiography database keeps one such table a class beside the class folders, with the columns FILE NAME and URL.
_TABLES = "*.metadata.xlsx"
_NAME, _URL = "FILE NAME", "URL"


@dataclass(frozen=True)
class SourceShortcut:
    """What the source says of the label.

    `cramers_v` is 0 where they have nothing to do with each other and 1 where one gives the other away (Cramer, "Mathematical
    Methods of Statistics", 1946, section 21.9). `guessed` is the share of images whose label is right when it is guessed to be
    the most frequent one of their source, `guessed_blindly` when it is guessed to be the most frequent one of all.
    """

    cramers_v: float  # nan where there is one source or one class only
    guessed: float
    guessed_blindly: float
    sources: int

    @property
    def in_words(self) -> str:
        """In a sentence."""
        if self.sources == 1:
            return "Sources: all images whose source is known have the same one"
        return (
            f"Sources: the source alone tells the class of {self.guessed:.1%} of the images (guessing blindly: "
            f"{self.guessed_blindly:.1%}), Cramer's V {self.cramers_v:.2f}"
        )


def with_sources_of_tables(images: Listing) -> Listing:
    """With the source of each image that the database's own tables name; raises `Mistake` for one that can't be read."""
    tables = sorted(path for path in images.root.glob(_TABLES) if path.is_file())
    if not tables:
        return images
    by_stem: dict[str, str] = {}
    for table in tables:
        by_stem |= _sources_in(table)
    return images.with_sources({path: by_stem[key] for path in images.paths if (key := _key(Path(path).stem)) in by_stem})


def source_shortcut(labels: pd.Series, sources: pd.Series) -> SourceShortcut | None:
    """How far the source alone gives the label away, among images whose source is known; none where there is nothing to tell."""
    known = sources != ""
    counts = pd.crosstab(labels[known], sources[known]).to_numpy()
    if counts.size == 0:
        return None
    from scipy.stats.contingency import association  # takes a second to import, and most data has no sources

    total = counts.sum()
    v = association(counts, method="cramer") if min(counts.shape) > 1 else np.nan
    guessed, blindly = counts.max(axis=0).sum() / total, counts.sum(axis=1).max() / total
    return SourceShortcut(float(v), float(guessed), float(blindly), counts.shape[1])


def _sources_in(table: Path) -> dict[str, str]:
    try:
        rows = pd.read_excel(table, dtype=str, na_filter=False)
        return dict(zip(rows[_NAME].map(_key), rows[_URL].str.strip(), strict=True))
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise Mistake(f"{table} can't be read as a table of {_NAME} and {_URL} ({error}): mend it or move it away") from None


def _key(stem: str) -> str:
    """File names as the tables and the folders both can be brought to spell them: case and spaces differ between releases."""
    return stem.strip().lower().replace(" ", "")
