"""How well the source of an image predicts its label."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats.contingency import association


@dataclass(frozen=True)
class SourceShortcut:
    """How well the source predicts the label.

    `cramers_v` is 0 where they have nothing to do with each other and 1 where one gives the other away (Cramer, "Mathematical
    Methods of Statistics", 1946, section 21.9). `guessed` is the share of images whose label is right when it is guessed to be
    the most frequent one of their source, `guessed_blindly` when it is guessed to be the most frequent one of all.
    """

    cramers_v: float  # nan where there is one source or one class only
    guessed: float
    guessed_blindly: float
    sources: int

    @property
    def text(self) -> str:
        """In a sentence."""
        if self.sources == 1:
            return "Sources: all images whose source is known have the same one"
        return (
            f"Sources: the source alone predicts the class of {self.guessed:.1%} of the images (guessing blindly: "
            f"{self.guessed_blindly:.1%}), Cramer's V {self.cramers_v:.2f}"
        )


def source_shortcut(labels: pd.Series, sources: pd.Series) -> SourceShortcut | None:
    """How well the source alone predicts the label, among images of known source; None without such images.

    Args:
        labels: (n,).
        sources: (n,), "" where it is not known.
    """
    known = sources != ""
    counts = pd.crosstab(labels[known], sources[known]).to_numpy()
    if counts.size == 0:
        return None
    total = counts.sum()
    v = association(counts, method="cramer") if min(counts.shape) > 1 else np.nan
    guessed, blindly = counts.max(axis=0).sum() / total, counts.sum(axis=1).max() / total
    return SourceShortcut(float(v), float(guessed), float(blindly), counts.shape[1])
