"""Other data for the saved model of a run: read, without the images that the run has too."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.config.schema import Config
from cxr.data.dataset import Dataset, read_dataset
from cxr.data.identity.overlap import SAME, overlap
from cxr.data.image_list import ImageList
from cxr.data.sources.locate import locate_images
from cxr.errors import UserError
from cxr.evaluation.assessment import check_evaluation
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.document import Data, Overlap
from cxr.evaluation.saliency import Saliency
from cxr.evaluation.shift import Sample
from cxr.progress import Progress
from cxr.run.identity.logged import Logged
from cxr.run.prepared import cache_of
from cxr.run.report.context import data_context, left_out_of
from cxr.text import nearest, pluralize, slug


@dataclass(frozen=True)
class OtherData:
    """Images that the run does not have: `rows` of `dataset`, described row by row in `manifest`.

    Labels are spelled as the model spells its classes. `shared` has a row for each image of the data that the run has too.
    """

    dataset: Dataset
    rows: NDArray[np.int64]
    manifest: pd.DataFrame
    shared: pd.DataFrame
    overlap: Overlap
    context: Data


@dataclass(frozen=True)
class ScoredData:
    """What the saved model makes of other data: predictions in the order of its manifest, and pooled features of some images.

    `passed` is the share of these that passes the gate of the model; None: it has none. `explain` opens the model again, and gives
    figures with images of failures in them, drawn when they are called, and saliency.
    """

    predictions: Predictions
    sample: Sample
    passed: Estimate | None
    explain: Callable[[Sequence[Failure]], tuple[list[Callable[[], Drawn]], Saliency]]


def read_other_data(logged: Logged, classes: tuple[str, ...], config: Config, progress: Progress) -> OtherData:
    """Read the images of `config.data`, and leave out those that the run has too.

    Raises:
        UserError: The model does not know a class, or no image is left.
    """
    image_list = locate_images(config.data, progress.stage)
    names = _names_of_model(image_list, classes)
    check_evaluation(config.evaluation, classes, config.data.columns.more)
    dataset = read_dataset(config, image_list, progress.stage, cache_of(config, progress), split=False)
    shared = overlap(dataset.manifest, logged.manifest)
    rows = np.flatnonzero(~dataset.manifest["path"].isin(shared["path"]).to_numpy())
    if not len(rows):
        whole = pluralize(len(dataset.manifest), "image")
        raise UserError(f"all {whole} of this data are among those of {logged.run.name} itself: none is left to evaluate")
    manifest = dataset.manifest.iloc[rows].reset_index(drop=True)
    manifest["label"] = manifest["label"].map(names)
    same = int((shared["how"] == SAME).sum())
    context = data_context(config, manifest, left_out_of(dataset) | {"already known to the run": len(shared)}, dataset.identity)
    return OtherData(
        dataset=dataset,
        rows=rows,
        manifest=manifest,
        shared=shared,
        overlap=Overlap(len(dataset.manifest), same, len(shared) - same),
        context=replace(context, split="Not split: all of it is evaluated"),
    )


def _names_of_model(image_list: ImageList, classes: tuple[str, ...]) -> dict[str, str]:
    """What the model calls each class of the data."""
    known = {slug(name): name for name in classes}
    for name in image_list.classes:
        if slug(name) not in known:
            raise UserError(
                f"the run never learned class {name} of this data: leave it out with data.classes, or count it as another with "
                f"data.merge; {nearest(name, classes)}"
            )
    return {name: known[slug(name)] for name in image_list.classes}
