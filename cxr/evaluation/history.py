"""The course of a training as columns, for figures and CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd


@dataclass(frozen=True)
class TrainingCurves:
    """One entry an epoch, counted from 1 over all phases; `best_epoch` is the one whose weights were kept."""

    epochs: Sequence[int]
    phase_names: Sequence[str]
    values: dict[str, Sequence[float]]  # train/loss, val/loss, train/accuracy, ...
    best_epoch: int

    def phases(self) -> list[tuple[str, int, int]]:
        """Each phase's name, first and last epoch.

        >>> TrainingCurves([1, 2, 3], ["warm-up", "fine", "fine"], {}, 3).phases()
        [('warm-up', 1, 1), ('fine', 2, 3)]
        """
        pairs = zip(self.phase_names, self.epochs, strict=True)
        spans = [(name, [epoch for _, epoch in members]) for name, members in groupby(pairs, key=lambda pair: pair[0])]
        return [(name, numbers[0], numbers[-1]) for name, numbers in spans]

    def to_frame(self) -> pd.DataFrame:
        """Columns epoch, phase, kept (true for the best epoch), then one a metric."""
        kept = [epoch == self.best_epoch for epoch in self.epochs]
        return pd.DataFrame({"epoch": self.epochs, "phase": self.phase_names, "kept": kept, **self.values})
