"""What a trained network is worth: its predictions, everything that follows from them, and pictures of what it saw."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.data.split import Part
from cxr.evaluation.assessment import Assessment, Evidence, assess, subgroup_columns
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.heat import Heat
from cxr.evaluation.judgement import Judgement, judgements_of
from cxr.evaluation.predictions import Predictions
from cxr.model.network import Network
from cxr.model.saved import save_model
from cxr.pictures import draw_pictures
from cxr.progress import Progress
from cxr.study import Study
from cxr.trained import MODEL, Trained
from cxr.training.fit import Fitted
from cxr.training.verify import verify


def predict(study: Study, network: Network, fitted: Fitted, folder: Path, progress: Progress) -> Trained:
    """Save the model in `folder`, and predict the parts that did not train; the last one judges.

    That is test, or val where there is none. The saved model has to say the same of a sample of them, whatever computed
    the predictions; where it does not, its own predictions count.
    """
    dataset, model = study.dataset, folder / MODEL
    held_out: dict[Part, NDArray[np.int64]] = {part: dataset.rows(part) for part in dataset.parts if part != "train"}
    with progress.stage("evaluate", f"Evaluating on {' and '.join(held_out)}"):
        save_model(network, model)
        found = {part: fitted.predict(rows) for part, rows in held_out.items()}
        found, verified = verify(model, dataset.images, held_out, found, study.config)
        if not verified.agreed:
            progress.console.print(f"cxr: {verified.in_words}")
    paths = dataset.manifest["path"]
    predictions = {
        part: Predictions(tuple(paths.iloc[rows]), dataset.classes, dataset.labels[rows], found[part])
        for part, rows in held_out.items()
    }
    return Trained(fitted.history, predictions, verified, fitted.frozen, model)


def judge(study: Study, predictions: dict[Part, Predictions]) -> tuple[list[Judgement], Assessment]:
    """Choose on validation and judge on the last part: everything that follows from predictions alone."""
    dataset, settings = study.dataset, study.config.evaluation
    part = dataset.parts[-1]
    rows = dataset.manifest.iloc[dataset.rows(part)]
    columns = rows[subgroup_columns(study.config)].reset_index(drop=True)
    evidence = Evidence(predictions["val"], predictions[part], part, list(rows["group"]), columns)
    found = assess(evidence, settings)
    return judgements_of(evidence, found, settings.specificity), found


def look_at(study: Study, judged: Predictions, assessment: Assessment, model: Path) -> tuple[list[Drawn], Heat | None]:
    """Pictures of films and heat maps, where they are wanted."""
    if not study.config.evaluation.pictures:
        return [], None
    places = study.dataset.rows(study.dataset.parts[-1])

    def films(rows: Sequence[int]) -> NDArray[np.uint8]:
        return study.dataset.images[places[list(rows)]]

    return draw_pictures(model, judged, assessment.failures, films, study.config.evaluation)
