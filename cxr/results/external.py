"""Results of experiments on other data: each saved model is evaluated there once, and the evaluation is kept as a run."""

from collections.abc import Sequence
from pathlib import Path

from cxr.compare.runs import EvaluatedRun
from cxr.data.manifest import data_fingerprint
from cxr.evaluation.metrics import evaluate
from cxr.evaluation.predictions import Predictions
from cxr.progress import Progress
from cxr.reevaluate.evaluate import OTHER, evaluate_other_data, model_classes
from cxr.reevaluate.other_data import OtherData, read_other_data
from cxr.reevaluate.settings import request_of
from cxr.results.experiments import Experiment
from cxr.results.table import ExternalResult
from cxr.run.logged import read_logged, restore
from cxr.tracking.search import LoggedRun, finished_runs, runs_by_id
from cxr.tracking.store import Store


def results_on(folder: Path, experiments: Sequence[Experiment], store: Store, progress: Progress) -> dict[str, ExternalResult]:
    """Evaluate every run on a folder of class folders, or find that this was done; by name of the experiment.

    Raises `UserError` for a folder with classes that a model does not know, and for one whose images the runs have all seen.
    """
    found = {}
    for experiment in experiments:
        predictions = [_predicted(folder, evaluated, store, progress) for evaluated in experiment.runs]
        numbers = [evaluate(each).numbers for each in predictions]
        shared = [name for name in numbers[0] if all(name in each for each in numbers)]
        values = {name: [each[name] for each in numbers] for name in shared}
        ends = {name: (sum(every) / len(every), min(every), max(every)) for name, every in values.items()}
        found[experiment.name] = ExternalResult(len(predictions[0].labels), ends)
    return found


def _predicted(folder: Path, evaluated: EvaluatedRun, store: Store, progress: Progress) -> Predictions:
    run, classes = evaluated.run, model_classes(evaluated.run)
    overrides = ["data=folder", f"data.root={folder}", "evaluation.pictures=false"]
    logged = read_logged(run)
    config, _ = request_of(restore(logged, []).config, overrides)
    data = read_other_data(logged, classes, config, progress)
    made = _found(run, data)
    if made is None:
        run_id = evaluate_other_data(logged, config, overrides, data, store, progress).run_id
        made = runs_by_id([run_id])[run_id]
    return Predictions.from_csv(made.file(f"predictions/{OTHER}.csv"), classes)


def _found(run: LoggedRun, data: OtherData) -> LoggedRun | None:
    """The evaluation of this run on these very images, if there is one."""
    tags = {"cxr.role": "evaluation", "cxr.evaluates": run.id, "cxr.data_fingerprint": data_fingerprint(data.manifest)}
    return next(iter(finished_runs(tags)), None)
