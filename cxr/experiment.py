"""The story of one run: images and weights, training, predictions, evaluation, and all of it kept in MLflow."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from cxr.config import Config
from cxr.errors import Mistake
from cxr.memory import prepare_memory
from cxr.progress import Progress, Update
from cxr.recipe import Recipe, SweepJob
from cxr.study import Study, fingerprints
from cxr.training.runtime import prepare_tensorflow
from cxr.words import in_words, nearest

if TYPE_CHECKING:
    import pandas as pd

    from cxr.cache.cache import Cache
    from cxr.model.network import Network
    from cxr.tracking.run import Run
    from cxr.tracking.search import LoggedRun
    from cxr.tracking.store import Store
    from cxr.tracking.unfinished import Unfinished
    from cxr.training.fit import Fitted


@dataclass(frozen=True)
class End:
    """How a run ended well: its id, and final metrics as the store names them (val/accuracy, test/accuracy, ...)."""

    run_id: str
    metrics: Mapping[str, float]
    was_finished: bool = False  # an earlier run of the same config, data and code, which a sweep need not do again


def run_experiment(config: Config, recipe: Recipe, progress: Progress | None = None, manifest: "pd.DataFrame | None" = None) -> End:
    """Do one run, or go on with one that was cut off; with a `manifest`, on its images and its split.

    Raises `Mistake` before anything is in the store; after that the run in the store says how it ended.
    """
    from cxr.tracking.store import locate_store, open_store

    prepare_memory()
    progress = progress or Progress()
    store = locate_store(config.tracking)
    study = prepare(config, recipe, progress, manifest)
    with progress.stage("start", "Starting TensorFlow and MLflow"):
        open_store(store)
        from cxr.tracking.unfinished import close_cut_off_runs

        close_cut_off_runs(store)
        if recipe.job and not config.force and (twin := finished_twin(study)):
            return _end_of(twin, recipe.job)
        prepare_tensorflow(config.training, recipe.at_once)  # before anything else imports Keras
    ensure_baseline(study, progress)
    with unfinished(study, progress) as claimed:
        if recipe.job and not config.force and (twin := finished_twin(study)):  # another process was at it
            return _end_of(twin, recipe.job)
        return _run(study, store, claimed, progress)


def _run(study: Study, store: "Store", claimed: "Unfinished", progress: Progress) -> End:
    from cxr.comparison.baseline import against_baseline
    from cxr.record import Results, record_costs, record_inputs, record_results, run_name, run_tags
    from cxr.summary import costs_in_words, print_summary
    from cxr.tracking.run import open_run
    from cxr.tracking.unfinished import TAG

    tags = run_tags(study) | {TAG: claimed.folder.name}
    with (
        open_run(store, study.config, run_name(study), tags, go_on=claimed.earlier_run()) as run,
        TemporaryDirectory(prefix="cxr-") as scratch,
    ):
        claimed.belongs_to(run.id)
        record_inputs(run, study, Path(scratch) / "inputs")
        network, fitted = train(study, run, progress, claimed.checkpoint)
        model = Path(scratch) / "results/model/model.keras"
        from cxr.judging import assess_headline, judge, look_at  # imports Keras

        judgements, verified = judge(study, network, fitted, model, progress)
        with progress.stage("report", "Assessing predictions and looking through the network"):
            judgements, assessment = assess_headline(study, judgements)
            headline = judgements[-1]
            pictures, heat = look_at(study, headline, assessment, model)
        with progress.stage("log", "Drawing figures, writing the report, logging all of it"):
            against = (
                None if study.config.tracking.role == "baseline" else against_baseline(tags, headline.predictions, study.recipe)
            )
            results = Results(fitted.history, judgements, assessment, pictures, heat, against, verified)
            metrics = record_results(run, study, results, Path(scratch) / "results")
        record_costs(run, progress.seconds, fitted.frozen, step=fitted.history.epochs[-1].number)
    progress.line(costs_in_words(progress.seconds, fitted.frozen))
    if progress.job is None:
        print_summary(run, headline, assessment, against)
    return End(run.id, metrics)


def ensure_baseline(study: Study, progress: Progress) -> None:
    """With `baseline.auto=true`, make the baseline that this run lacks, once for all that want it. The store has to be open."""
    if not study.config.baseline.auto or study.config.tracking.role == "baseline":
        return
    from cxr.comparison.baseline import baseline_for, baselines_like
    from cxr.record import run_tags
    from cxr.tracking.unfinished import one_at_a_time

    tags = run_tags(study)
    with one_at_a_time(f"baseline-{tags['cxr.split_fingerprint']}"):
        if not baselines_like(tags):
            config, recipe = baseline_for(study.config, study.recipe)
            progress.line("There is no frozen-head baseline on this data and split: making it first")
            run_experiment(config, recipe, Progress(progress.console, job=progress.job and "baseline", bars=progress.bars))
            prepare_tensorflow(study.config.training, study.recipe.at_once)


def prepare(config: Config, recipe: Recipe, progress: Progress, manifest: "pd.DataFrame | None" = None) -> Study:
    """Find weights and images, check that they fit the config and each other, and read the images."""
    from cxr.data.locate import locate_images

    images = locate_images(config.data, progress.stage, manifest)
    if manifest is None:
        from cxr.data.split import check_split

        check_split(images, config.split)
    from cxr.costs import cost_matrix
    from cxr.model.weights import locate_weights

    weights = locate_weights(config.backbone)
    cost_matrix(config.loss.costs, images.classes, "loss.costs")  # raises for a class that the data does not have
    if config.engine.name == "openvino" and find_spec("openvino") is None:
        raise Mistake("engine=openvino needs a package that is not here: pip install openvino, or leave engine at auto")
    from cxr.evaluation.assessment import check_evaluation
    from cxr.evaluation.metrics import metric_names

    check_evaluation(config.evaluation, images.classes, config.data.columns.more)
    if config.objective.metric.removeprefix("val/") not in (known := metric_names(images.classes)):
        hint = nearest(config.objective.metric, [f"val/{name}" for name in known])
        raise Mistake(f"objective.metric={config.objective.metric} is not a metric of these classes: {hint}")
    from cxr.data.dataset import read_dataset

    return Study(config, recipe, read_dataset(config, images, progress.stage, cache_of(config, progress), manifest), weights)


def cache_of(config: Config, progress: Progress) -> "Cache | None":
    """The cache that a run uses, unless it asks for the plain loop."""
    from cxr.cache.cache import Cache, default_folder

    if not config.training.cache:
        return None
    return Cache(
        default_folder(),
        int(config.training.cache_limit_gb * 1e9),
        lambda text: progress.console.print(f"cxr: {text}", markup=False),
    )


def finished_twin(study: Study) -> "LoggedRun | None":
    """The latest finished run of the same config, data, split and code. The store has to be open."""
    from cxr.tracking.search import finished_runs

    return next(iter(finished_runs(fingerprints(study))), None)


@contextmanager
def unfinished(study: Study, progress: Progress) -> "Iterator[Unfinished]":
    """The folder of this run while it is under way; what is cut off stays there for the next attempt, what fails does not."""
    from cxr.fingerprint import fingerprint_of
    from cxr.tracking.unfinished import claim

    waiting = f"{study.recipe.job.name if study.recipe.job else 'this run'} is under way in another process: waiting for it"
    claimed = claim(
        fingerprint_of(study.config.tracking.experiment, *fingerprints(study).values()),
        anew=study.config.force,
        on_wait=(lambda: progress.console.print(f"cxr: {waiting}")) if study.recipe.job else None,
    )
    try:
        yield claimed
    except KeyboardInterrupt:
        claimed.let_go()
        raise
    except BaseException:
        claimed.remove()
        raise
    claimed.remove()


def _end_of(twin: "LoggedRun", job: SweepJob) -> End:
    """A job that an earlier run has done; the run says that it is of this sweep too."""
    from cxr.tracking.search import join_sweep

    join_sweep(twin, job.sweep_id)
    return End(twin.id, twin.metrics, was_finished=True)


def train(study: Study, run: "Run", progress: Progress, checkpoint: Path) -> "tuple[Network, Fitted]":
    """Build the network and fit it, from the checkpoint if there is one; epoch metrics reach the run as they come."""
    from cxr.costs import cost_matrix
    from cxr.model.class_weights import class_weights
    from cxr.model.loss import make_loss
    from cxr.model.network import build_network
    from cxr.training.fit import TrainingSet, Watcher, fit
    from cxr.training.history import Epoch, History
    from cxr.training.phases import Phase

    config, dataset = study.config, study.dataset
    with progress.timed("train"):
        network = build_network(config.backbone, len(dataset.classes), study.weights, config.training.seed)
    data = TrainingSet(dataset.images, dataset.hashes, dataset.one_hot, dataset.rows("train"), dataset.rows("val"))
    costs = cost_matrix(config.loss.costs, dataset.classes, "loss.costs")
    loss = make_loss(config.loss, class_weights(config.loss, dataset.train_counts()), costs)
    with progress.stage("train", f"Training on {in_words(len(data.train), 'image')}") as update:

        def on_resume(so_far: History) -> None:
            run.log_epochs([(epoch.number, epoch.metrics) for epoch in so_far.epochs])
            progress.line(f"  going on after epoch {len(so_far.epochs)} of run {run.id[:8]} (force=true starts anew)")

        def on_phase(phase: Phase, trainable: int) -> None:
            progress.line(f"  {phase.name}: up to {in_words(phase.epochs, 'epoch')}, {in_words(trainable, 'trainable weight')}")

        def on_epoch(epoch: Epoch) -> None:
            run.log_metrics(epoch.metrics, step=epoch.number)
            shown = ("train/loss", "val/loss", "val/accuracy")
            progress.line(f"  epoch {epoch.number:>3}  " + "  ".join(f"{name} {epoch.metrics[name]:.4f}" for name in shown))

        @contextmanager
        def computing() -> Iterator[Update]:
            with progress.timed("frozen"):
                yield update

        watcher = Watcher(on_resume, on_phase, update, on_epoch, computing)
        fitted = fit(network, data, loss, config, watcher, checkpoint, cache_of(config, progress))
    return network, fitted
