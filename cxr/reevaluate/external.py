"""Results of experiments on other data: each saved model is evaluated there once, and that is logged as a run."""

from collections.abc import Sequence
from pathlib import Path

from cxr.compare.experiments import Experiment
from cxr.compare.runs import EvaluatedRun
from cxr.compare.table import ExternalResult
from cxr.config.path_arguments import with_paths
from cxr.data.manifest import data_fingerprint
from cxr.evaluation.metrics import evaluate
from cxr.evaluation.predictions import Predictions
from cxr.progress import Progress
from cxr.reevaluate.evaluate import OTHER, evaluate_other_data, model_classes
from cxr.reevaluate.other_data import read_other_data
from cxr.reevaluate.settings import request_of
from cxr.run.identity.logged import read_logged, restore
from cxr.tracking.search import finished_runs, runs_by_id
from cxr.tracking.store import Store


def results_on(folder: Path, experiments: Sequence[Experiment], store: Store, progress: Progress) -> dict[str, ExternalResult]:
    """Evaluate every run on a folder of class folders, unless that was done before; the results by name of the experiment.

    Images of classes that a model does not know are left out.

    Raises:
        UserError: A model knows no class of the folder, or the runs have all seen its images.
    """
    results = {}
    for experiment in experiments:
        predictions = [_predicted(folder, evaluated, store, progress) for evaluated in experiment.runs]
        by_run = [evaluate(of_run).numbers for of_run in predictions]
        values = {name: [numbers[name] for numbers in by_run if name in numbers] for name in by_run[0]}
        ends = {name: (sum(row) / len(row), min(row), max(row)) for name, row in values.items() if len(row) == len(by_run)}
        results[experiment.name] = ExternalResult(len(predictions[0].labels), ends)
    return results


def _predicted(folder: Path, evaluated: EvaluatedRun, store: Store, progress: Progress) -> Predictions:
    run, classes = evaluated.run, model_classes(evaluated.run)
    overrides = with_paths(["data=folder", f"data.root={folder}", "evaluation.pictures=false"], multirun=False)
    logged = read_logged(run)
    config, _ = request_of(restore(logged, []).config, overrides)
    data = read_other_data(logged, classes, config, progress)
    tags = {"cxr.role": "evaluation", "cxr.evaluates": run.id, "cxr.data_fingerprint": data_fingerprint(data.manifest)}
    made = next(iter(finished_runs(tags)), None)  # an evaluation of this run on these very images
    if made is None:
        run_id = evaluate_other_data(logged, config, overrides, data, store, progress).run_id
        made = runs_by_id([run_id])[run_id]
    return Predictions.from_csv(made.file(f"predictions/{OTHER}.csv"), classes)
