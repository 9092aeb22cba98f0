"""The figures of a report that show images: Grad-CAM, its mean by class, and the failures."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import EvaluationConfig
from cxr.evaluation.assessment import Assessment
from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.figures.pictures import failures_figure, gallery_figure, mean_saliency_figure
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.saliency import (
    RegionShares,
    Saliency,
    drawn,
    even_shares,
    gallery,
    randomised_stage,
    region_shares,
    verdict,
)
from cxr.model.grad_cam import GradCam, grad_cam, randomised, saliency_maps
from cxr.model.saved import load_model
from cxr.run.prepared import PreparedRun

_OF_EACH_KIND = 3  # images of the gallery: right ones of each class, and wrong ones
_CHECKED = 8  # images of the randomisation check

ReadImages = Callable[[Sequence[int]], NDArray[np.uint8]]  # rows of the predictions: grey levels (n, size, size, 1)


def explain(
    prepared: PreparedRun, evaluated: Predictions, assessment: Assessment, model: Path
) -> tuple[list[Callable[[], Drawn]], Saliency | None]:
    """Figures with images of the evaluated part, not drawn yet, and its saliency; none with `evaluation.pictures=false`."""
    if not prepared.config.evaluation.pictures:
        return [], None
    images, places = prepared.dataset.images, prepared.dataset.rows(prepared.dataset.parts[-1])
    settings = prepared.config.evaluation
    return draw_pictures(model, evaluated, assessment.failures, lambda rows: images[places[list(rows)]], settings)


def draw_pictures(
    model: Path, evaluated: Predictions, failures: Sequence[Failure], read: ReadImages, settings: EvaluationConfig
) -> tuple[list[Callable[[], Drawn]], Saliency]:
    """Open the saved model, and compute Grad-CAM of some of the evaluated images; figures are drawn when they are called."""
    network = grad_cam(load_model(model))
    exhibits = gallery(evaluated, _OF_EACH_KIND)
    rows = [exhibit.row for exhibit in exhibits]
    images, predicted = read(rows), evaluated.predicted[rows]
    maps = saliency_maps(network, images, predicted)
    size = maps.shape[1], maps.shape[2]
    pictures: list[Callable[[], Drawn]] = [partial(gallery_figure, exhibits, images, maps)]
    averaged, regions = dict[str, int](), list[RegionShares]()
    if settings.saliency_images:
        mean, averaged, regions = _by_class(network, evaluated, read, settings.saliency_images)
        pictures.append(mean)
    if failures:
        places = {name: row for row, name in enumerate(evaluated.ids)}
        pictures.append(partial(failures_figure, failures, read([places[failure.id] for failure in failures])))
    checked = np.unique(np.linspace(0, len(images) - 1, min(_CHECKED, len(images))).round().astype(np.int64))
    stages = [  # how alike maps of the same images stay while the weights are randomised stage by stage
        randomised_stage(stage, maps[checked], saliency_maps(network, images[checked], predicted[checked]))
        for stage in randomised(network)
    ]
    even = even_shares(size)
    saliency = Saliency(network.layer, size, exhibits, averaged, regions, even, len(checked), stages, verdict(stages, size))
    return pictures, saliency


def _by_class(
    network: GradCam, evaluated: Predictions, read: ReadImages, most: int
) -> tuple[Callable[[], Drawn], dict[str, int], list[RegionShares]]:
    """Of maps of up to `most` images of each class for that class: the figure of means, numbers of images, regions."""
    rows = [drawn(evaluated, np.flatnonzero(evaluated.labels == index), most) for index in range(len(evaluated.classes))]
    images = [read(of_class) for of_class in rows]
    maps = [saliency_maps(network, of_class, np.full(len(of_class), index)) for index, of_class in enumerate(images)]
    counts = {name: len(of_class) for name, of_class in zip(evaluated.classes, rows, strict=True)}
    regions = [region_shares(name, of_class) for name, of_class in zip(evaluated.classes, maps, strict=True) if len(of_class)]
    return partial(mean_saliency_figure, evaluated.classes, images, maps), counts, [shares for shares in regions if shares]
