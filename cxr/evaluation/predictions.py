"""Predictions: for each image its true class and a probability for each class. Evaluation reads nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.data.safe_csv import read_csv, write_csv
from cxr.text import slug


@dataclass(frozen=True)
class Predictions:
    """Predictions of n images of one part of a split."""

    ids: tuple[str, ...]  # relative paths
    classes: tuple[str, ...]
    labels: NDArray[np.int64]  # (n,), index into classes
    probabilities: NDArray[np.float64]  # (n, classes), rows sum to 1

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each image, (n,), index into classes."""
        return np.asarray(self.probabilities.argmax(axis=1), np.int64)

    @property
    def by_class(self) -> dict[str, int]:
        """How many images there are of each class, by its name."""
        return {name: int((self.labels == index).sum()) for index, name in enumerate(self.classes)}

    def only(self, rows: NDArray[np.int64]) -> "Predictions":
        """Those of some rows, in their order.

        Args:
            rows: (k,).
        """
        ids = tuple(self.ids[row] for row in rows)
        return Predictions(ids, self.classes, self.labels[rows], self.probabilities[rows])

    def rows_of(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """The rows of some images, (k,), in the order of `ids`."""
        places = {name: row for row, name in enumerate(self.ids)}
        return np.array([places[name] for name in ids], np.int64)

    def in_order(self, ids: Sequence[str]) -> "Predictions":
        """Those of the images `ids`, in that order."""
        return self.only(self.rows_of(ids))

    def to_csv(self, path: Path) -> None:
        """Write columns id, label, predicted, and p_CLASS for each class, sorted by id; floats survive the round trip."""
        write_predictions(path, self.ids, [self.classes[index] for index in self.labels], self.classes, self.probabilities)

    @staticmethod
    def from_csv(path: Path, classes: tuple[str, ...]) -> "Predictions":
        """Read what `to_csv` wrote; `classes` in the order of the probability columns.

        Raises:
            ValueError: `to_csv` did not write the file.
        """
        frame = read_csv(path)
        probabilities = frame[[f"p_{slug(name)}" for name in classes]].to_numpy(np.float64)
        if not ((probabilities >= 0).all() and np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)):
            raise ValueError(f"{path.name} has numbers that are not probabilities, or do not sum to 1")
        labels = np.array([classes.index(label) for label in frame["label"]], np.int64)
        return Predictions(tuple(frame["id"]), classes, labels, probabilities)


def write_predictions(
    path: Path, ids: Sequence[str], labels: Sequence[str], classes: Sequence[str], probabilities: NDArray[np.float64]
) -> None:
    """Write the names and labels of images, and their probabilities, as `Predictions.to_csv` has them.

    Args:
        probabilities: (n, classes).
    """
    frame = pd.DataFrame({"id": ids, "label": labels, "predicted": [classes[index] for index in probabilities.argmax(axis=1)]})
    for index, name in enumerate(classes):
        frame[f"p_{slug(name)}"] = probabilities[:, index]
    write_csv(frame.sort_values("id", kind="stable"), path)
