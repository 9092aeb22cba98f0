"""Predictions of a run's own held-out images over several views, made again with its saved model. Loads TensorFlow."""

from pathlib import Path

from cxr.config.schema import Config
from cxr.data.dataset import read_dataset
from cxr.data.sources.locate import locate_images
from cxr.evaluation.predictions import Predictions
from cxr.progress import Progress
from cxr.run.logged import Logged
from cxr.run.prepared import cache_of
from cxr.text import pluralize
from cxr.training.several_views import mean_over_views


def predict_views(logged: Logged, config: Config, model: Path, progress: Progress) -> dict[str, Predictions]:
    """Predictions of the parts that did not train, by part. TensorFlow has to be prepared.

    Raises `UserError` where the images are no longer where the run found them, or have changed.
    """
    image_list = locate_images(config.data, progress.stage, logged.manifest)
    dataset = read_dataset(config, image_list, progress.stage, cache_of(config, progress), logged.manifest)
    paths, found = dataset.manifest["path"], {}
    for part in (part for part in dataset.parts if part != "train"):
        rows = dataset.rows(part)
        views = pluralize(config.evaluation.views, "view")
        with progress.stage("evaluate", f"Predicting {views} of {pluralize(len(rows), 'image')} of {part}"):
            probabilities = mean_over_views(model, dataset.images, dataset.hashes, rows, config)
        found[str(part)] = Predictions(tuple(paths.iloc[rows]), dataset.classes, dataset.labels[rows], probabilities)
    return found
