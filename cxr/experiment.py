"""The story of one run: images and weights, training, predictions, evaluation, and all of it kept in MLflow."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from cxr.config import Config
from cxr.errors import Mistake, RunFailed, TrainingDiverged
from cxr.memory import prepare_memory
from cxr.preparation import prepare, read_again
from cxr.progress import Progress, Update
from cxr.recipe import Recipe, SweepJob
from cxr.study import Study, fingerprints
from cxr.training.runtime import prepare_tensorflow
from cxr.words import in_words

if TYPE_CHECKING:
    import pandas as pd

    from cxr.model.network import Network
    from cxr.tracking.run import Run
    from cxr.tracking.search import LoggedRun
    from cxr.tracking.store import Store
    from cxr.tracking.unfinished import Unfinished
    from cxr.trained import Trained
    from cxr.training.fit import Fitted


Made = TypeVar("Made")

# What others read of a finished run: without it, it has to be done again.
_NEEDED = ("model/model.keras", "predictions/val.csv", "evaluation/metrics.json", "data/manifest.csv", "config/config.yaml")


@dataclass(frozen=True)
class End:
    """How a run ended well: its id, and final metrics as the store names them (val/accuracy, test/accuracy, ...)."""

    run_id: str
    metrics: Mapping[str, float]
    was_finished: bool = False  # an earlier run of the same config, data and code, which a sweep need not do again


def run_experiment(
    config: Config,
    recipe: Recipe,
    progress: Progress | None = None,
    manifest: "pd.DataFrame | None" = None,
    cache_folder: Path | None = None,
) -> End:
    """Do one run, or go on with one that was cut off; with a `manifest`, on its images and its split.

    Raises `Mistake` before anything is in the store; after that the run in the store says how it ended.
    """
    from cxr.tracking.store import check_store, locate_store, open_store

    prepare_memory()
    progress = progress or Progress()
    store = locate_store(config.tracking)
    check_store(store)
    study = prepare(config, recipe, progress, manifest, cache_folder)
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
    from cxr.facts import beside_baseline, facts_of
    from cxr.record import Results, record_costs, record_numbers, record_report, run_name, run_tags
    from cxr.summary import costs_in_words, print_summary
    from cxr.tracking.run import open_run
    from cxr.tracking.scratch import scratch
    from cxr.tracking.unfinished import TAG

    earlier = claimed.earlier_run()
    tags = run_tags(study) | {TAG: claimed.folder.name}
    with open_run(store, study.config, run_name(study), tags, go_on=earlier.id if earlier else None) as run, scratch() as folder:
        claimed.belongs_to(run.id)
        trained = _kept(earlier, study, progress) or _train_and_keep(study, run, claimed, folder, progress)
        claimed.training_is_in_store()
        from cxr.judging import judge, look_at  # imports Keras

        with _costs_no_training(run, "the assessment of its predictions"), progress.stage("report", "Assessing predictions"):
            judgements, assessment = judge(study, trained.predictions)
            metrics = record_numbers(run, judgements, assessment, trained.history, folder / "numbers")
        judged = judgements[-1].predictions
        with _costs_no_training(run, "looking through the network"), progress.stage("report", "Looking through the network"):
            pictures, heat = _with_images(study, progress, lambda study: look_at(study, judged, assessment, trained.model))
        with _costs_no_training(run, "its report"), progress.stage("log", "Drawing figures, writing the report, logging all of it"):
            against = None if study.config.tracking.role == "baseline" else against_baseline(tags, judged, study.recipe)
            results = Results(trained.history, judged, assessment, pictures, heat, against)
            facts = beside_baseline(facts_of(study, run), against)
            metrics |= record_report(run, facts, results, study.config.evaluation.figure_dpi, folder / "report")
        record_costs(run, progress.seconds, trained.frozen, step=trained.history.epochs[-1].number)
    progress.line(costs_in_words(progress.seconds, trained.frozen))
    if progress.job is None:
        print_summary(run, assessment, against)
    return End(run.id, metrics)


def _kept(earlier: "LoggedRun | None", study: Study, progress: Progress) -> "Trained | None":
    """What an earlier attempt at this run trained, where the store has it: only its report is missing."""
    if earlier is None or not earlier.holds_training:
        return None
    from cxr.trained import kept_training

    try:
        trained = kept_training(earlier, study.dataset)
    except Mistake as mistake:
        progress.console.print(f"cxr: {mistake}: training anew")
        return None
    progress.line(f"  run {earlier.short_id} was trained before: making what is missing (force=true starts anew)")
    return trained


def _train_and_keep(study: Study, run: "Run", claimed: "Unfinished", folder: Path, progress: Progress) -> "Trained":
    """Train and predict, and put what came of it into the store."""
    from cxr.judging import predict
    from cxr.record import record_inputs
    from cxr.trained import keep_training

    record_inputs(run, study, folder / "inputs")

    def train_and_predict(study: Study) -> "Trained":
        network, fitted = train(study, run, progress, claimed.checkpoint)
        return predict(study, network, fitted, folder / "trained", progress)

    trained = _with_images(study, progress, train_and_predict)
    with progress.stage("log", "Logging model and predictions"):
        keep_training(run, study, trained, folder / "trained")
    return trained


def _with_images(study: Study, progress: Progress, work: Callable[[Study], Made]) -> Made:
    """What `work` makes; where the cache loses files of the images on the way, once more with the images read anew."""
    from cxr.cache.rows import RowsLost

    try:
        return work(study)
    except RowsLost as lost:
        progress.console.print(f"cxr: {lost}: reading the images again")
        return work(read_again(study, progress))


@contextmanager
def _costs_no_training(run: "Run", what: str) -> Iterator[None]:
    """Model and predictions are in the store: whatever fails from here on is told in a line, and can be made from them."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) if isinstance(error, RunFailed | Mistake) else f"{type(error).__name__}: {error}"
        raise RunFailed(
            f"run {run.name} ({run.id[:8]}) is trained, and model and predictions are kept, but {what} failed ({reason}): "
            f"the same command, or cxr evaluate {run.id[:8]}, makes what is missing"
        ) from error


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


def finished_twin(study: Study) -> "LoggedRun | None":
    """The latest finished run of the same config, data, split, code, experiment and role that still has its files.

    The store has to be open.
    """
    from cxr.tracking.search import finished_runs

    tracking = study.config.tracking
    alike = finished_runs({**fingerprints(study), "cxr.role": tracking.role}, tracking.experiment)
    return next((run for run in alike if all(run.has_file(name) for name in _NEEDED)), None)


@contextmanager
def unfinished(study: Study, progress: Progress) -> "Iterator[Unfinished]":
    """The folder of this run while it is under way; what was trained stays there for the next attempt."""
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
    except TrainingDiverged:  # another attempt would go the same way
        claimed.remove()
        raise
    except BaseException:
        if not claimed.can_go_on:
            claimed.remove()
            raise
        claimed.let_go()
        progress.line("  what was trained is kept: the same command goes on from there (force=true starts anew)")
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

        def on_unreadable() -> None:
            progress.line("  what an earlier attempt trained can't be read: training anew, in the same run")

        watcher = Watcher(on_resume, on_unreadable, on_phase, update, on_epoch, computing)
        fitted = fit(network, data, loss, config, watcher, checkpoint, study.cache)
    return network, fitted
