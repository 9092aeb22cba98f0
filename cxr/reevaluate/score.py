"""The saved model of a run on other data: predictions, figures with images, saliency. Loads TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.saliency import Saliency
from cxr.model.saved import SavedModel, load_model
from cxr.progress import Progress
from cxr.reevaluate.other_data import OtherData
from cxr.run.explain import draw_pictures
from cxr.text import in_words


@dataclass(frozen=True)
class Scored:
    """The predictions of the saved model in file `model` for the images of `data`."""

    data: OtherData
    predictions: Predictions
    model: Path

    def explain(self, found: Sequence[Failure], config: Config) -> tuple[list[Drawn], Saliency]:
        """Figures with images in them, and saliency."""

        def images(rows: Sequence[int]) -> NDArray[np.uint8]:
            return self.data.dataset.images[self.data.rows[list(rows)]]

        return draw_pictures(self.model, self.predictions, found, images, config.evaluation)


def score(data: OtherData, classes: tuple[str, ...], config: Config, model: Path, progress: Progress) -> Scored:
    """Predict every image. TensorFlow has to be prepared. Raises `UserError` for a file that is no model of these classes."""
    with progress.stage("evaluate", f"Predicting {in_words(len(data.rows), 'image')} with the saved model"):
        probabilities = _predict(_open(model), data, config.evaluation.batch_size)
    if probabilities.shape[1] != len(classes):
        raise UserError(f"{model} has {probabilities.shape[1]} classes and the run {len(classes)}: it is not the run's model")
    labels = np.array([classes.index(label) for label in data.manifest["label"]], np.int64)
    return Scored(data, Predictions(tuple(data.manifest["path"]), classes, labels, probabilities), model)


def _open(model: Path) -> SavedModel:
    try:
        return load_model(model)
    except (ValueError, OSError) as error:
        raise UserError(f"{model} can't be opened: {' '.join(str(error).split())}") from None


def _predict(saved: SavedModel, data: OtherData, batch: int) -> NDArray[np.float64]:
    batches = [data.rows[start : start + batch] for start in range(0, len(data.rows), batch)]
    return np.concatenate([saved.probabilities(data.dataset.images[rows].astype(np.float32)) for rows in batches])
