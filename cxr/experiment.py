"""The story of one run: images and weights, training, predictions, evaluation, and all of it kept in MLflow."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cxr.config import Config, Recipe
from cxr.progress import Progress
from cxr.study import Judgement, Study
from cxr.training.runtime import keep_freed_memory, prepare_tensorflow
from cxr.words import in_words

if TYPE_CHECKING:
    from cxr.model.network import Network
    from cxr.tracking.run import Run
    from cxr.training.fit import History


def run_experiment(config: Config, recipe: Recipe) -> None:
    """Do one run. Raises `Mistake` before anything is in the store; after that the run in the store says how it ended."""
    from cxr.tracking.store import locate_store

    keep_freed_memory()
    progress = Progress()
    store = locate_store(config.tracking)
    study = prepare(config, recipe, progress)
    with progress.stage("start", "Starting TensorFlow and MLflow"):
        prepare_tensorflow(config.training)  # before anything else imports Keras
        from cxr.record import record_inputs, record_results, run_name, run_tags
        from cxr.tracking.run import open_run
    with open_run(store, config, run_name(study), run_tags(study)) as run, TemporaryDirectory(prefix="cxr-") as scratch:
        record_inputs(run, study, Path(scratch) / "inputs")
        network, history = train(study, run, progress)
        judgements = judge(study, network, progress)
        with progress.stage("log", "Logging model, predictions and figures"):
            record_results(run, study, network, history, judgements, progress.seconds, Path(scratch) / "results")
    progress.result(run.id, run.name, judgements[-1].part, judgements[-1].predictions.classes, judgements[-1].evaluation.numbers)


def prepare(config: Config, recipe: Recipe, progress: Progress) -> Study:
    """Find weights and images, check that they fit the config and each other, and read the images."""
    from cxr.data.locate import locate_images

    images = locate_images(config.data, config.split, progress.stage)
    from cxr.model.class_weights import cost_matrix
    from cxr.model.weights import locate_weights

    weights = locate_weights(config.backbone)
    cost_matrix(config.loss, images.classes)  # raises for a class that the data does not have
    from cxr.data.dataset import read_dataset

    return Study(config, recipe, read_dataset(config, images, progress.stage), weights)


def train(study: Study, run: "Run", progress: Progress) -> "tuple[Network, History]":
    """Build the network and fit it; epoch metrics reach the run as they come."""
    from cxr.model.class_weights import class_weights, cost_matrix
    from cxr.model.loss import make_loss
    from cxr.model.network import build_network
    from cxr.training.fit import Epoch, TrainingSet, Watcher, fit
    from cxr.training.phases import Phase

    config, dataset = study.config, study.dataset
    network = build_network(config.backbone, len(dataset.classes), study.weights)
    data = TrainingSet(dataset.images, dataset.one_hot, dataset.rows("train"), dataset.rows("val"))
    loss = make_loss(config.loss, class_weights(config.loss, dataset.train_counts()), cost_matrix(config.loss, dataset.classes))
    with progress.stage("train", f"Training on {in_words(len(data.train), 'image')}") as update:

        def on_phase(phase: Phase, trainable: int) -> None:
            progress.line(f"  {phase.name}: up to {in_words(phase.epochs, 'epoch')}, {in_words(trainable, 'trainable weight')}")

        def on_epoch(epoch: Epoch) -> None:
            run.log_metrics(epoch.metrics, step=epoch.number)
            shown = ("train/loss", "val/loss", "val/accuracy")
            progress.line(f"  epoch {epoch.number:>3}  " + "  ".join(f"{name} {epoch.metrics[name]:.4f}" for name in shown))

        history = fit(network, data, loss, config, Watcher(on_phase, update, on_epoch))
    return network, history


def judge(study: Study, network: "Network", progress: Progress) -> list[Judgement]:
    """Predict and evaluate the parts that did not train; the last one is the headline: test, or val where there is none."""
    from cxr.data.split import part_names
    from cxr.evaluation.metrics import evaluate
    from cxr.evaluation.predictions import Predictions
    from cxr.training.fit import predict

    dataset = study.dataset
    paths, labels = dataset.manifest["path"], dataset.labels
    held_out = [part for part in part_names(study.config.split) if part != "train"]
    with progress.stage("evaluate", f"Evaluating on {' and '.join(held_out)}"):
        rows = [dataset.rows(part) for part in held_out]
        probabilities = predict(network.classifier, dataset.images, rows, study.config.evaluation.batch_size)
        judgements = []
        for part, chosen, found in zip(held_out, rows, probabilities, strict=True):
            predictions = Predictions(tuple(paths.iloc[chosen]), dataset.classes, labels[chosen], found)
            judgements.append(Judgement(part, predictions, evaluate(predictions)))
    return judgements
