"""Other data for the saved model of a run: read, without the images that the run has too."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from cxr.config.schema import Config
from cxr.data.dataset import Dataset, read_dataset
from cxr.data.identity.overlap import SAME, overlap
from cxr.data.image_list import spelling
from cxr.data.manifest import more_columns
from cxr.data.sources.locate import locate_images
from cxr.errors import UserError
from cxr.evaluation.assessment import check_evaluation
from cxr.evaluation.estimates import Estimate
from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.document import Data, Overlap
from cxr.evaluation.roles import NORMAL_SLUGS, roles_of
from cxr.evaluation.saliency import Saliency
from cxr.evaluation.shift import Sample
from cxr.evaluation.unknown_classes import UnknownClasses
from cxr.progress import Progress
from cxr.run.identity.logged import Logged
from cxr.run.prepared import cache_of
from cxr.run.report.context import data_context, left_out_of
from cxr.text import nearest, pluralize


@dataclass(frozen=True)
class OtherData:
    """Images that the run does not have: `rows` of `dataset`, described row by row in `manifest`.

    Labels are spelled as the model spells its classes; those that it does not know stay as they are. `shared` has a row for each
    image of the data that the run has too.
    """

    dataset: Dataset
    rows: NDArray[np.int64]
    manifest: pd.DataFrame
    shared: pd.DataFrame
    overlap: Overlap
    context: Data

    def by_class(self, classes: Sequence[str]) -> tuple[dict[str, int], dict[str, int]]:
        """The number of images of each class of the model, and of each class that it does not know."""
        counts = self.manifest["label"].value_counts().sort_index()
        return {name: int(counts.get(name, 0)) for name in classes}, {
            str(name): int(count) for name, count in counts.items() if name not in classes
        }


@dataclass(frozen=True)
class ScoredData:
    """What the saved model makes of other data: predictions in the order of its manifest, and pooled features of some images.

    Images of classes that the model does not know are apart, in `unknown`.
    `passed` is the share of these that passes the gate of the model; None: it has none. `explain` opens the model again, and gives
    figures with images of failures in them, drawn when they are called, and saliency.
    """

    predictions: Predictions
    unknown: UnknownClasses
    sample: Sample
    passed: Estimate | None
    explain: Callable[[Sequence[Failure]], tuple[list[Callable[[], Drawn]], Saliency]]


def read_other_data(logged: Logged, classes: tuple[str, ...], config: Config, progress: Progress) -> OtherData:
    """Read the images of `config.data`, and leave out those that the run has too.

    Raises:
        UserError: The model knows no class of the data, or no image of one that it knows is left.
    """
    image_list = locate_images(config.data, progress.stage, least_classes=1)
    names = names_of_model(image_list.classes, classes, config)
    check_evaluation(config.evaluation, classes, more_columns(image_list.images))
    dataset = read_dataset(config, image_list, progress.stage, cache_of(config, progress), split=False)
    shared = overlap(dataset.manifest, logged.manifest)
    rows = np.flatnonzero(~dataset.manifest["path"].isin(shared["path"]).to_numpy())
    manifest = dataset.manifest.iloc[rows].reset_index(drop=True)
    manifest["label"] = manifest["label"].map(names)
    if not manifest["label"].isin(classes).any():
        whole = pluralize(int(dataset.manifest["label"].map(names).isin(classes).sum()), "image")
        raise UserError(
            f"all {whole} of the model's classes in this data are among those of {logged.run.name} itself: none is left to evaluate"
        )
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


def names_of_model(present: Sequence[str], classes: Sequence[str], config: Config) -> dict[str, str]:
    """What the model calls each class that is present, or its own name where the model does not know it.

    Case and punctuation do not matter, aliases count, and any usual name of normal is the normal class, so that healthy images
    never count as not normal.

    Raises:
        UserError: The model knows none of them.

    >>> from cxr.config.schema import DataConfig
    >>> radiography = Config(data=DataConfig(aliases={"COVID": ["COVID-19"]}))
    >>> names_of_model(["covid-19", "Edema", "No Finding"], ["COVID", "Normal"], radiography)
    {'covid-19': 'COVID', 'Edema': 'Edema', 'No Finding': 'Normal'}
    """
    aliases, normal = config.data.aliases, roles_of(config.evaluation, classes).normal_class
    if normal is not None:
        aliases = {**aliases, classes[normal]: [*aliases.get(classes[normal], []), *NORMAL_SLUGS]}
    data = replace(config.data, aliases=aliases)
    names = {name: next((known for known in classes if spelling(known, data, [name])), name) for name in present}
    if not set(names.values()) & set(classes):
        raise UserError(
            f"the model knows no class of this data ({', '.join(present)}): count one as a class of the model with data.merge; "
            f"{nearest(present[0], classes)}"
        )
    return names
