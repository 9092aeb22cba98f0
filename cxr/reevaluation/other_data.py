"""Other data, scored by the saved model of a run: read, and held against what the run has seen. Loads TensorFlow."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.config import Config
from cxr.data.dataset import Dataset, read_dataset
from cxr.data.listing import Listing
from cxr.data.locate import locate_images
from cxr.data.overlap import SAME, overlap
from cxr.errors import Mistake
from cxr.evaluation.assessment import check_evaluation
from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.heat import Heat
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.document import Data, Overlap
from cxr.facts import data_caveats, data_facts, left_out_of
from cxr.pictures import draw_pictures
from cxr.preparation import cache_of
from cxr.progress import Progress
from cxr.reproduction.logged import Logged
from cxr.words import in_words, nearest, slug


@dataclass(frozen=True)
class Scored:
    """What the model said of images that the run does not have.

    `manifest` has a row for each prediction, `shared` one for each image of the data that the run has seen, and `look` makes
    pictures of films and heat maps.
    """

    predictions: Predictions
    manifest: pd.DataFrame
    shared: pd.DataFrame
    overlap: Overlap
    facts: Data
    caveats: list[str]
    look: Callable[[Sequence[Failure]], tuple[list[Drawn], Heat]]


def score(logged: Logged, classes: tuple[str, ...], config: Config, model: Path, progress: Progress) -> Scored:
    """Read the images of `config.data`, leave out those that the run has too, and ask the saved model about the others.

    Raises `Mistake` for classes that the model does not know, for a file that is no model of theirs, and where no image is left.
    """
    listing = locate_images(config.data, progress.stage)
    names = _names_of_model(listing, classes)
    check_evaluation(config.evaluation, classes, config.data.columns.more)
    dataset = read_dataset(config, listing, progress.stage, cache_of(config, progress), split=False)
    shared = overlap(dataset.manifest, logged.manifest)
    kept = np.flatnonzero(~dataset.manifest["path"].isin(shared["path"]).to_numpy())
    if not len(kept):
        whole = in_words(len(dataset.manifest), "image")
        raise Mistake(f"all {whole} of this data are among those of {logged.run.name} itself: none is left to judge")
    manifest = dataset.manifest.iloc[kept].reset_index(drop=True)
    manifest["label"] = manifest["label"].map(names)
    with progress.stage("evaluate", f"Asking the saved model about {in_words(len(kept), 'image')}"):
        probabilities = _ask(model, dataset, kept, config)
    if probabilities.shape[1] != len(classes):
        raise Mistake(f"{model} tells {probabilities.shape[1]} classes apart and the run {len(classes)}: it is not the run's model")
    labels = np.array([classes.index(label) for label in manifest["label"]], np.int64)
    predictions = Predictions(tuple(manifest["path"]), classes, labels, probabilities)

    def look(found: Sequence[Failure]) -> tuple[list[Drawn], Heat]:
        def films(rows: Sequence[int]) -> NDArray[np.uint8]:
            return dataset.images[kept[list(rows)]]

        return draw_pictures(model, predictions, found, films, config.evaluation)

    same = int((shared["how"] == SAME).sum())
    facts = data_facts(config, manifest, left_out_of(dataset) | {"already known to the run": len(shared)})
    return Scored(
        predictions=predictions,
        manifest=manifest,
        shared=shared,
        overlap=Overlap(len(dataset.manifest), same, len(shared) - same),
        facts=replace(facts, split="Not split: all of it judges"),
        caveats=data_caveats(config),
        look=look,
    )


def _names_of_model(listing: Listing, classes: tuple[str, ...]) -> dict[str, str]:
    """What the model calls each class of the data."""
    known = {slug(name): name for name in classes}
    for name in listing.classes:
        if slug(name) not in known:
            raise Mistake(
                f"the run never learned class {name} of this data: leave it out with data.classes, or count it as another with "
                f"data.merge; {nearest(name, classes)}"
            )
    return {name: known[slug(name)] for name in listing.classes}


def _ask(model: Path, dataset: Dataset, rows: NDArray[np.int64], config: Config) -> NDArray[np.float64]:
    from cxr.training.runtime import prepare_tensorflow

    prepare_tensorflow(replace(config.training, threads=None))  # of this machine, not of the one that trained
    from cxr.model.saved import load_model

    try:
        saved = load_model(model)
    except (ValueError, OSError) as error:
        raise Mistake(f"{model} can't be opened: {' '.join(str(error).split())}") from None
    at_once = config.evaluation.batch_size
    pieces = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
    return np.concatenate([saved.probabilities(dataset.images[piece].astype(np.float32)) for piece in pieces])
