"""Training of a run: builds the network, fits it, and reports each epoch."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cxr.anatomy.backgrounds import Backgrounds, backgrounds_of
from cxr.anatomy.lung_masks import lung_masks
from cxr.config.costs import cost_matrix
from cxr.data.images.decode import read_grey
from cxr.model.class_weights import class_weights
from cxr.model.losses.registry import Loss, make_loss
from cxr.model.network import Network, build_network
from cxr.progress import Progress, Update
from cxr.run.fit.groups import SideBySide
from cxr.run.prepared import PreparedRun
from cxr.text import pluralize
from cxr.tracking.run import Run
from cxr.training.fit import Fitted, TrainingSet, Watcher, fit, fitted_from
from cxr.training.history import Epoch, History
from cxr.training.phases import Phase
from cxr.training.soup import mix, soup_from

_PRINTED = ("train/loss", "val/loss", "val/accuracy")


def train(prepared: PreparedRun, run: Run, progress: Progress, checkpoint: Path) -> tuple[Network, Fitted]:
    """Build the network and fit it, from the checkpoint if there is one, or average weights; the store gets metrics meanwhile."""
    config = prepared.config
    with progress.timed("train"):
        network = network_of(prepared)
    data, loss, together = training_set(prepared, progress), loss_of(prepared), SideBySide.read(checkpoint.parent)
    if prepared.ingredients:
        with progress.stage("train", f"Averaging the weights of up to {pluralize(len(prepared.ingredients), 'run')}") as update:
            mixed = mix(network, prepared.ingredients, data, loss, config, _watcher(run, progress, update, "ingredient"))
        stayed = int(mixed.history.epochs[-1].metrics["soup/ingredients"])
        progress.line(
            f"  {stayed} of {pluralize(len(prepared.ingredients), 'run')} stayed: the others did not lower the validation loss"
        )
        return network, mixed
    with progress.stage("train", f"Training on {pluralize(len(data.train), 'image')}") as update:
        fitted = fit(network, data, loss, config, _watcher(run, progress, update, together=together), checkpoint, prepared.cache)
    if together is not None:
        progress.seconds["train"] += together.training / together.heads  # its share
        if together.computed:
            progress.seconds["frozen"] = progress.seconds.get("frozen", 0.0) + together.frozen
            fitted.frozen.computed += together.computed
    if fitted.history.undone:
        last, best = fitted.history.epochs[-1].phase, fitted.history.best_epoch
        progress.line(
            f"  {last} is undone, as no epoch of it had a lower validation loss than epoch {best}: try a lower rate for it"
        )
    return network, fitted


def train_from(prepared: PreparedRun, model: Path, history: History, progress: Progress) -> tuple[Network, Fitted]:
    """The network of a run that was trained, from its saved model, as training left it."""
    config = prepared.config
    with progress.stage("evaluate", "Opening the trained network") as update:
        network = network_of(prepared)
        data, loss = training_set(prepared, progress), loss_of(prepared)
        if prepared.ingredients:
            return network, soup_from(network, model, data, loss, config, history)
        watcher = Watcher(computing=partial(computing, progress, update))
        return network, fitted_from(network, model, data, loss, config, watcher, history, prepared.cache)


def network_of(prepared: PreparedRun) -> Network:
    """The network of a run, untrained, with the weights that it starts from."""
    config, class_count = prepared.config, len(prepared.dataset.classes)
    return build_network(config.backbone, class_count, prepared.weights, config.training.seed, config.prepare)


def training_set(prepared: PreparedRun, progress: Progress) -> TrainingSet:
    """The images of a run as a training takes them."""
    dataset, config = prepared.dataset, prepared.config
    return TrainingSet(
        images=dataset.images,
        hashes=dataset.hashes,
        targets=dataset.one_hot,
        train=dataset.rows("train"),
        val=dataset.rows("val"),
        sources=dataset.sources,
        backgrounds=_backgrounds(prepared, progress) if config.augment.background and not prepared.ingredients else None,
    )


def loss_of(prepared: PreparedRun) -> Loss:
    """The loss of a run, with the weights and costs of its classes."""
    config, dataset = prepared.config.loss, prepared.dataset
    costs = cost_matrix(config.costs, dataset.classes, "loss.costs")
    return make_loss(config, class_weights(config, dataset.train_counts()), costs)


def _backgrounds(prepared: PreparedRun, progress: Progress) -> Backgrounds:
    """The backgrounds that lungs of training images are put on, and where those lungs are."""
    dataset, rows = prepared.dataset, prepared.dataset.rows("train")

    def masks_of(some: NDArray[np.int64]) -> NDArray[np.bool_]:
        images, manifest = np.asarray(dataset.images[some]), dataset.manifest.iloc[some]
        return lung_masks(prepared.config.data, prepared.root, manifest, images, read_grey).masks

    with progress.stage("train", f"Finding lungs in {pluralize(len(rows), 'image')}"):
        return backgrounds_of(dataset.images, rows, dataset.hashes, masks_of)


def _watcher(run: Run, progress: Progress, update: Update, step: str = "epoch", together: SideBySide | None = None) -> Watcher:
    """Where the events of a training go: lines for the terminal, which count steps, and metrics for the store."""

    def on_resume(so_far: History) -> None:
        run.log_epochs([(epoch.number, epoch.metrics) for epoch in so_far.epochs])
        if together is not None:
            took = f"{pluralize(len(so_far.epochs), 'epoch')}, {together.training:.1f} s for {together.heads} heads"
            return progress.line(f"  trained side by side with other jobs of the sweep: {took}")
        return progress.line(f"  resuming after epoch {len(so_far.epochs)} of run {run.id[:8]} (force=true starts again)")

    def on_unreadable() -> None:
        progress.line("  the checkpoint of an earlier attempt can't be read: training again, in the same run")

    def on_phase(phase: Phase, trainable: int) -> None:
        progress.line(f"  {phase.name}: up to {pluralize(phase.epochs, 'epoch')}, {pluralize(trainable, 'trainable weight')}")

    def on_epoch(epoch: Epoch) -> None:
        run.log_metrics(epoch.metrics, step=epoch.number)
        shown = [f"{name} {epoch.metrics[name]:.4f}" for name in _PRINTED if name in epoch.metrics]
        progress.line(f"  {step} {epoch.number:>3}  {'  '.join(shown)}")

    return Watcher(on_resume, on_unreadable, on_phase, update, on_epoch, partial(computing, progress, update))


@contextmanager
def computing(progress: Progress, update: Update) -> Iterator[Update]:
    """Around work on the frozen part, whose time counts apart."""
    with progress.timed("frozen"):
        yield update
