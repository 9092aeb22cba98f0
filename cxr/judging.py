"""What a trained network is worth: its predictions, everything that follows from them, and pictures of what it saw."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.data.split import Part
from cxr.evaluation.assessment import Assessment, Evidence, assess, subgroup_columns
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.heat import Heat
from cxr.evaluation.judgement import Judgement
from cxr.evaluation.metrics import Evaluation, evaluate, sensitivity_at_specificity
from cxr.evaluation.predictions import Predictions
from cxr.model.network import Network
from cxr.model.saved import save_model
from cxr.pictures import draw_pictures
from cxr.progress import Progress
from cxr.study import Study
from cxr.training.fit import Fitted
from cxr.training.verify import Verified, verify


def judge(study: Study, network: Network, fitted: Fitted, model: Path, progress: Progress) -> tuple[list[Judgement], Verified]:
    """Save the model, predict and evaluate the parts that did not train; the last one is the headline.

    That is test, or val where there is none. The saved model has to say the same of a sample of them, whatever computed
    the predictions; where it does not, its own predictions count.
    """
    config, dataset = study.config, study.dataset
    held_out: dict[Part, NDArray[np.int64]] = {part: dataset.rows(part) for part in dataset.parts if part != "train"}
    with progress.stage("evaluate", f"Evaluating on {' and '.join(held_out)}"):
        save_model(network, model)
        found = {part: fitted.predict(rows) for part, rows in held_out.items()}
        found, verified = verify(model, dataset.images, held_out, found, config)
        if not verified.agreed:
            progress.console.print(f"cxr: {verified.in_words}", markup=False)
        judgements = []
        for part, rows in held_out.items():
            predictions = Predictions(
                tuple(dataset.manifest["path"].iloc[rows]), dataset.classes, dataset.labels[rows], found[part]
            )
            evaluation = evaluate(predictions)
            if part == "val":
                evaluation.estimates.update(sensitivity_at_specificity(predictions, config.evaluation.specificity))
            judgements.append(Judgement(part, predictions, evaluation))
    return judgements, verified


def assess_headline(study: Study, judgements: list[Judgement]) -> tuple[list[Judgement], Assessment]:
    """Choose on validation and judge on the last part: everything that follows from predictions alone."""
    headline, dataset = judgements[-1], study.dataset
    rows = dataset.manifest.iloc[dataset.rows(dataset.parts[-1])]
    columns = rows[subgroup_columns(study.config)].reset_index(drop=True)
    validation = judgements[0].predictions
    found = assess(Evidence(validation, headline.predictions, headline.part, list(rows["group"]), columns), study.config.evaluation)
    estimates = headline.evaluation.estimates | found.estimates
    return [*judgements[:-1], replace(headline, evaluation=Evaluation(estimates, headline.evaluation.confusion))], found


def look_at(study: Study, headline: Judgement, assessment: Assessment, model: Path) -> tuple[list[Drawn], Heat | None]:
    """Pictures of films and heat maps, where they are wanted."""
    if not study.config.evaluation.pictures:
        return [], None

    places = study.dataset.rows(study.dataset.parts[-1])

    def films(rows: Sequence[int]) -> NDArray[np.uint8]:
        return study.dataset.images[places[list(rows)]]

    return draw_pictures(model, headline.predictions, assessment.failures, films, study.config.evaluation)
