"""The saved model of a run on other data, or on several views of its own images. Loads TensorFlow."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.audit.gate import Gate
from cxr.cache.rows import Rows
from cxr.config.schema import Config
from cxr.data.dataset import read_dataset
from cxr.data.sources.locate import locate_images
from cxr.errors import UserError
from cxr.evaluation.estimates import proportion
from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.saliency import Saliency
from cxr.evaluation.shift import drawn_rows
from cxr.evaluation.unknown_classes import UnknownClasses
from cxr.model.freeze import POOLED
from cxr.model.saved import SavedModel, load_model
from cxr.progress import Progress
from cxr.reevaluate.other_data import OtherData, ScoredData
from cxr.run.fit.features import sample_of
from cxr.run.identity.logged import Logged
from cxr.run.prepared import cache_of
from cxr.run.report.explain import draw_pictures
from cxr.text import pluralize
from cxr.training.several_views import mean_over_views
from cxr.training.trained_model import open_model


def score(
    data: OtherData, classes: tuple[str, ...], config: Config, model: Path, gate: Gate | None, progress: Progress
) -> ScoredData:
    """Predict every image. TensorFlow has to be prepared.

    Raises:
        UserError: The file is no model of these classes.
    """
    images, rows = data.dataset.images, data.rows
    with progress.stage("evaluate", f"Predicting {pluralize(len(rows), 'image')} with the saved model"):
        probabilities, pooled = _predict(_open(model), images, rows, config.evaluation.batch_size)
        if config.evaluation.views > 1:
            probabilities = mean_over_views(model, images, data.dataset.hashes, rows, config)
    if probabilities.shape[1] != len(classes):
        raise UserError(f"{model} has {probabilities.shape[1]} classes and the run {len(classes)}: it is not the run's model")
    is_known = data.manifest["label"].isin(classes).to_numpy()
    known, others = data.manifest[is_known], data.manifest[~is_known]
    labels = np.array([classes.index(label) for label in known["label"]], np.int64)
    predictions = Predictions(tuple(known["path"]), classes, labels, probabilities[is_known])
    unknown = UnknownClasses(
        ids=tuple(others["path"]),
        classes=classes,
        labels=tuple(others["label"]),
        probabilities=probabilities[~is_known],
        groups=tuple(others["group"]),
    )
    some = drawn_rows(list(data.manifest["path"]))
    manifest, shown, passed = data.manifest.iloc[some], np.asarray(images[rows[some]]), None
    if gate is not None:
        features = pooled[some] if gate.layer == POOLED else open_model(model, config).features(shown, gate.layer)
        passed = proportion(int(gate.passes(features).sum()), len(some), "there are no images")

    def explain(failures: Sequence[Failure]) -> tuple[list[Callable[[], Drawn]], Saliency]:
        of_known = rows[is_known]
        return draw_pictures(model, predictions, failures, lambda chosen: images[of_known[list(chosen)]], config.evaluation)

    return ScoredData(predictions, unknown, sample_of(manifest, shown, pooled[some]), passed, explain)


def predict_views(logged: Logged, config: Config, model: Path, progress: Progress) -> dict[str, Predictions]:
    """Predictions of the run's own held-out images over several views, by part. TensorFlow has to be prepared.

    Raises:
        UserError: The images are no longer where the run found them, or have changed.
    """
    image_list = locate_images(config.data, progress.stage, logged.manifest)
    dataset = read_dataset(config, image_list, progress.stage, cache_of(config, progress), logged.manifest)
    paths, predictions = dataset.manifest["path"], {}
    for part in (part for part in dataset.parts if part != "train"):
        rows = dataset.rows(part)
        views = pluralize(config.evaluation.views, "view")
        with progress.stage("evaluate", f"Predicting {views} of {pluralize(len(rows), 'image')} of {part}"):
            probabilities = mean_over_views(model, dataset.images, dataset.hashes, rows, config)
        predictions[str(part)] = Predictions(tuple(paths.iloc[rows]), dataset.classes, dataset.labels[rows], probabilities)
    return predictions


def _open(model: Path) -> SavedModel:
    try:
        return load_model(model)
    except (ValueError, OSError) as error:
        raise UserError(f"{model} can't be opened: {' '.join(str(error).split())}") from None


def _predict(
    saved: SavedModel, images: Rows, rows: NDArray[np.int64], batch: int
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Probabilities (n, classes) and pooled features (n, channels)."""
    batches = [rows[start : start + batch] for start in range(0, len(rows), batch)]
    results = [saved.probabilities_and_pooled(images[some].astype(np.float32)) for some in batches]
    return np.concatenate([probabilities for probabilities, _ in results]), np.concatenate([pooled for _, pooled in results])
