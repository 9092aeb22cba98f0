"""The saved model of a run on other data: predictions, figures with images, saliency. Loads TensorFlow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.audit.gate import Gate
from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.evaluation.estimates import Estimate, proportion
from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.saliency import Saliency
from cxr.evaluation.shift import Sample, drawn_rows
from cxr.model.freeze import POOLED
from cxr.model.saved import SavedModel, load_model
from cxr.progress import Progress
from cxr.reevaluate.other_data import OtherData
from cxr.run.explain import draw_pictures
from cxr.run.features import sample_of
from cxr.text import pluralize
from cxr.training.several_views import mean_over_views
from cxr.training.trained_model import open_model


@dataclass(frozen=True)
class ScoredData:
    """The predictions of the saved model in file `model` for the images of `data`."""

    data: OtherData
    predictions: Predictions
    sample: Sample
    passed: Estimate | None  # the gate of the model; None: it has none
    model: Path

    def explain(self, found: Sequence[Failure], config: Config) -> tuple[list[Callable[[], Drawn]], Saliency]:
        """Figures with images in them, and saliency."""

        def images(rows: Sequence[int]) -> NDArray[np.uint8]:
            return self.data.dataset.images[self.data.rows[list(rows)]]

        return draw_pictures(self.model, self.predictions, found, images, config.evaluation)


def score(
    data: OtherData, classes: tuple[str, ...], config: Config, model: Path, gate: Gate | None, progress: Progress
) -> ScoredData:
    """Predict every image. TensorFlow has to be prepared. Raises `UserError` for a file that is no model of these classes."""
    with progress.stage("evaluate", f"Predicting {pluralize(len(data.rows), 'image')} with the saved model"):
        probabilities, pooled = _predict(_open(model), data, config.evaluation.batch_size)
        if config.evaluation.views > 1:
            read = data.dataset.images, data.dataset.hashes
            probabilities = mean_over_views(model, *read, data.rows, config)
    if probabilities.shape[1] != len(classes):
        raise UserError(f"{model} has {probabilities.shape[1]} classes and the run {len(classes)}: it is not the run's model")
    labels = np.array([classes.index(label) for label in data.manifest["label"]], np.int64)
    some = drawn_rows(list(data.manifest["path"]))
    manifest = data.manifest.iloc[some]
    images = np.asarray(data.dataset.images[data.rows[some]])
    passed = None
    if gate is not None:
        features = pooled[some] if gate.layer == POOLED else open_model(model, config).features(images, gate.layer)
        passed = proportion(int(gate.passes(features).sum()), len(some), "there are no images")
    sample = sample_of(manifest, manifest["label"], images, pooled[some])
    return ScoredData(data, Predictions(tuple(data.manifest["path"]), classes, labels, probabilities), sample, passed, model)


def _open(model: Path) -> SavedModel:
    try:
        return load_model(model)
    except (ValueError, OSError) as error:
        raise UserError(f"{model} can't be opened: {' '.join(str(error).split())}") from None


def _predict(saved: SavedModel, data: OtherData, batch: int) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Probabilities (n, classes) and pooled features (n, channels)."""
    batches = [data.rows[start : start + batch] for start in range(0, len(data.rows), batch)]
    found = [saved.probabilities_and_pooled(data.dataset.images[rows].astype(np.float32)) for rows in batches]
    return np.concatenate([each for each, _ in found]), np.concatenate([each for _, each in found])
