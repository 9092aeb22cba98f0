"""The pictures of a report: films beside what the network saw in them, and the mistakes that a person should look at."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import EvaluationConfig
from cxr.evaluation.assessment import Assessment
from cxr.evaluation.failures import Failure
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.figures.pictures import failures_figure, gallery_figure, mean_heat_figure
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.saliency import Heat, RandomisedStage, alike, drawn, gallery, verdict
from cxr.model.grad_cam import camera, heat_maps, randomised
from cxr.model.saved import load_model
from cxr.run.prepared import PreparedRun

_OF_EACH_KIND = 3  # films of the gallery: right ones of each class, and wrong ones
_CHECKED = 8  # films of the randomisation check

Films = Callable[[Sequence[int]], NDArray[np.uint8]]  # rows of the predictions: grey levels (n, size, size, 1)


def explain(prepared: PreparedRun, judged: Predictions, assessment: Assessment, model: Path) -> tuple[list[Drawn], Heat | None]:
    """Pictures of films and heat maps, where they are wanted."""
    if not prepared.config.evaluation.pictures:
        return [], None
    places = prepared.dataset.rows(prepared.dataset.parts[-1])

    def films(rows: Sequence[int]) -> NDArray[np.uint8]:
        return prepared.dataset.images[places[list(rows)]]

    return draw_pictures(model, judged, assessment.failures, films, prepared.config.evaluation)


def draw_pictures(
    model: Path, judged: Predictions, found: Sequence[Failure], films: Films, settings: EvaluationConfig
) -> tuple[list[Drawn], Heat]:
    """Open the saved model, look through it at films of the images that judge, and draw. Loads TensorFlow."""
    eye = camera(load_model(model))
    exhibits = gallery(judged, _OF_EACH_KIND)
    rows = [each.row for each in exhibits]
    grey, taken_for = films(rows), judged.predicted[rows]
    heat = heat_maps(eye, grey, taken_for)
    pictures = [gallery_figure(exhibits, grey, heat)]
    averaged = {}
    if settings.heat_images:
        of_class = [drawn(judged, np.flatnonzero(judged.labels == k), settings.heat_images) for k in range(len(judged.classes))]
        averaged = {name: len(each) for name, each in zip(judged.classes, of_class, strict=True)}
        seen = [films(each) for each in of_class]
        maps = [heat_maps(eye, each, np.full(len(each), k)) if len(each) else heat[:0] for k, each in enumerate(seen)]
        pictures.append(mean_heat_figure(judged.classes, seen, maps))
    if found:
        places = {name: row for row, name in enumerate(judged.ids)}
        pictures.append(failures_figure(found, films([places[each.id] for each in found])))
    checked = _spread(len(grey), _CHECKED)
    stages = [
        RandomisedStage(name, alike(heat[checked], heat_maps(eye, grey[checked], taken_for[checked]))) for name in randomised(eye)
    ]
    size = heat.shape[1], heat.shape[2]
    return pictures, Heat(eye.layer, size, exhibits, averaged, len(checked), stages, verdict(stages))


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Up to `most` of so many rows, spread evenly."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(np.int64))
