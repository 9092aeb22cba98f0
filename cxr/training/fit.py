"""Fitting: phase by phase, with early stopping on validation loss, the best epoch's weights, and checkpoints."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cxr.anatomy.backgrounds import Backgrounds
from cxr.cache.rows import Rows
from cxr.cache.store import Cache
from cxr.config.schema import Config, TrainingConfig
from cxr.data.augment import view_of_epoch
from cxr.data.views import Viewer
from cxr.errors import RunFailed, TrainingDiverged
from cxr.model.freeze import apply_freeze, first_layer
from cxr.model.losses.registry import Loss
from cxr.model.network import Network
from cxr.model.optimizer import learning_rate, optimizer_variables, single_optimizers
from cxr.model.partition import Partition
from cxr.training.checkpoint import Arrays, State, assign, capture, load, restore, save, trained_weights, values_of
from cxr.training.compiled import compiled_for
from cxr.training.frozen import FrozenPart
from cxr.training.group_robust import GroupWeights, balanced, cells_of
from cxr.training.history import Epoch, FrozenWork, History, epoch_metrics, epochs_since_best, reductions, stops_early
from cxr.training.inputs import Activations, Images, Inputs
from cxr.training.phases import Phase, plan_phases
from cxr.training.steps import Score
from cxr.training.update import Averages


@dataclass(frozen=True)
class TrainingSet:
    """All images with their pixel hashes and one-hot targets, and which rows train and validate.

    `sources` (n,) numbers the source of each image; `backgrounds` are those that lungs are put on, if any are.
    """

    images: Rows  # (n, size, size, 1) uint8
    hashes: Sequence[str]
    targets: NDArray[np.float32]  # (n, classes)
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    sources: NDArray[np.int64] | None = None
    backgrounds: Backgrounds | None = None

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each image, (n,)."""
        return np.asarray(self.targets.argmax(axis=1), np.int64)

    @property
    def cells(self) -> NDArray[np.float32]:
        """Membership of each image in a class and source, (n, cells)."""
        return cells_of(self.labels, self._sources, self.train)

    def order(self, training: TrainingConfig, epoch: int) -> NDArray[np.int64]:
        """The training rows of an epoch, from 0 over all phases: the same for the same seed, also in a resumed run."""
        if training.sampling == "source_balanced":
            return balanced(self.train, self.labels, self._sources, training.seed, epoch)
        return shuffled(self.train, training.seed, epoch)

    @property
    def _sources(self) -> NDArray[np.int64]:
        return np.zeros(len(self.targets), np.int64) if self.sources is None else self.sources


@contextmanager
def _unwatched() -> Iterator[Callable[[int, int], None]]:
    yield lambda done, of: None


@dataclass
class Watcher:
    """Callbacks: a checkpoint that is resumed or unreadable, each phase, images trained on (done, of how many), each epoch.

    `computing` is entered while activations of the frozen part are computed; it yields a function to report with.
    """

    on_resume: Callable[[History], None] = lambda history: None
    on_unreadable: Callable[[], None] = lambda: None
    on_phase: Callable[[Phase, int], None] = lambda phase, trainable: None
    on_images: Callable[[int, int], None] = lambda done, of: None
    on_epoch: Callable[[Epoch], None] = lambda epoch: None
    computing: Callable[[], AbstractContextManager[Callable[[int, int], None]]] = _unwatched


@dataclass(frozen=True)
class Fitted:
    """The history of a training, and the trained network as functions of rows of the data.

    `predict` gives probabilities (rows, classes), `pooled` the pooled features (rows, channels) that the head is given.
    """

    history: History
    frozen: FrozenWork
    predict: Callable[[NDArray[np.int64]], NDArray[np.float64]]
    pooled: Callable[[NDArray[np.int64]], NDArray[np.float32]]


@contextmanager
def _memory_named() -> Iterator[None]:
    try:
        yield
    except tf.errors.OpError as why:
        if "RESOURCE_EXHAUSTED" not in str(why) and not isinstance(why, tf.errors.ResourceExhaustedError):
            raise  # cuDNN that finds no room to try its kernels says so in words alone
        raise RunFailed(
            "the GPU has too little memory for this training: lower training.batch_size or backbone.image_size, choose a lighter "
            "backbone, or run fewer jobs at once"
        ) from why


@_memory_named()
def fit(
    network: Network,
    data: TrainingSet,
    loss: Loss,
    config: Config,
    watcher: Watcher,
    checkpoint: Path | None = None,
    cache: Cache | None = None,
) -> Fitted:
    """Train `network` in place and return its history.

    Early stopping ends a phase, and each phase ends with the weights of the epoch of lowest validation loss so far: a phase with no
    better epoch than those before it is undone. With a
    `checkpoint` file the state is kept there after each epoch, and a training of the same config and data resumes from it as
    if it had never stopped. With a `cache` the frozen part of the network is computed once for each image and view; without
    one the whole network runs in every epoch. Raises `TrainingDiverged` where the loss is no longer finite, and `RunFailed` where
    the memory of a GPU does not suffice.
    """
    found = load(checkpoint) if checkpoint else None
    history = found.history if found else History()
    if found:
        watcher.on_resume(history)
    elif checkpoint and checkpoint.exists():
        watcher.on_unreadable()
    phases, work = plan_phases(config), FrozenWork()
    inputs_of = _inputs_of(data, config, watcher, cache, work)
    reached = [phase.name for phase in phases].index(history.epochs[-1].phase) if history.epochs else 0
    for phase in phases[reached:]:
        first = _freeze(network, phase, config)
        watcher.on_phase(phase, sum(int(np.prod(v.shape)) for v in network.trainee.trainable_variables))
        updates = phase.epochs * -(-len(data.train) // config.training.batch_size)
        groups = GroupWeights(data.cells, config.loss.group_robust) if config.loss.group_robust else None
        compiled = compiled_for(network, first, config, updates, loss, data.targets, groups, inputs_of, split=cache is not None)
        optimizer, steps = compiled.optimizer, compiled.steps
        memory = [*optimizer_variables(optimizer), *(each for more in (steps.averages, groups) if more for each in more.memory)]
        course = _Course(network, optimizer, memory, steps.averages, config, phase, history, watcher, checkpoint)
        if found:
            course.resume(found)
            found = None
        while len(history.losses_of(phase.name)) < phase.epochs and not course.has_ended():
            epoch, rate = len(history.epochs), learning_rate(single_optimizers(optimizer)[0])
            order, view = data.order(config.training, epoch), view_of_epoch(config.augment, epoch)
            score = steps.train(order, view, config.training.batch_size, watcher.on_images)
            with course.averaged():
                validated = steps.evaluate(data.val, config.evaluation.batch_size)
                course.keep_if_best(validated)
            course.end_epoch(score, validated, rate)
        assign(trained_weights(network), course.best)
    at_once = config.evaluation.batch_size
    return Fitted(history, work, lambda rows: steps.predict(rows, at_once), lambda rows: steps.pooled(rows, at_once))


@_memory_named()
def fitted_from(
    network: Network,
    model: Path,
    data: TrainingSet,
    loss: Loss,
    config: Config,
    watcher: Watcher,
    history: History,
    cache: Cache | None = None,
) -> Fitted:
    """The end of a training whose weights are in the `.keras` file `model`: predictions are those of its end, to the bit."""
    network.classifier.load_weights(model)
    phase, work = plan_phases(config)[-1], FrozenWork()
    first, inputs_of = _freeze(network, phase, config), _inputs_of(data, config, watcher, cache, work)
    steps = compiled_for(network, first, config, 1, loss, data.targets, None, inputs_of, split=cache is not None).steps
    at_once = config.evaluation.batch_size
    return Fitted(history, work, lambda rows: steps.predict(rows, at_once), lambda rows: steps.pooled(rows, at_once))


def _freeze(network: Network, phase: Phase, config: Config) -> str:
    """Freeze what a phase does not train. Returns the first layer that it trains."""
    first = first_layer(phase.trainable_from, network.described)
    apply_freeze(network.trainee.operations, network.architecture, first, config.freeze)
    return first


def _inputs_of(
    data: TrainingSet, config: Config, watcher: Watcher, cache: Cache | None, work: FrozenWork
) -> Callable[[Partition | None], Inputs]:
    viewer = Viewer(data.images, data.hashes, config.augment, config.training.seed, data.backgrounds)

    def inputs_of(parts: Partition | None) -> Inputs:
        if cache is None or parts is None:
            return Images(viewer)
        return Activations(FrozenPart(parts, viewer, config), cache, watcher.computing, work)

    return inputs_of


def shuffled(rows: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """The order of an epoch, from 0 over all phases: the same for the same seed, also in a resumed run."""
    return np.random.Generator(np.random.Philox([seed, epoch])).permutation(rows)


class _Course:
    """The course of one phase: names the numbers of each epoch, keeps the best weights and the state, calls the watcher."""

    def __init__(
        self,
        network: Network,
        optimizer: keras.optimizers.Optimizer,
        memory: Sequence[keras.Variable],
        averages: Averages | None,
        config: Config,
        phase: Phase,
        history: History,
        watcher: Watcher,
        checkpoint: Path | None,
    ) -> None:
        self.network, self.optimizer, self.config, self.phase, self.history = network, optimizer, config, phase, history
        self.averages, self.watcher, self.checkpoint = averages, watcher, checkpoint
        self.memory = memory  # what updates remember
        self.best: Arrays = values_of(trained_weights(network))

    def resume(self, state: State) -> None:
        """Resume after the last epoch of an earlier process in this phase."""
        restore(self.network, self.memory, state)
        self.best = state.best

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The network with its averaged weights, where the config asks for them: they are what is validated and kept."""
        if self.averages is None:
            yield
            return
        before = self.averages.swap_in()
        try:
            yield
        finally:
            assign(self.averages.variables, before)

    def keep_if_best(self, validated: Score) -> None:
        """Keep the present weights if no earlier epoch, of this phase or of one before it, had a validation loss as low."""
        if epochs_since_best([*self.history.losses, validated.loss]) == 0:
            self.best, self.history.best_epoch = values_of(trained_weights(self.network)), len(self.history.epochs) + 1

    def has_ended(self) -> bool:
        """Whether early stopping ends the phase here."""
        return stops_early(self.history.losses_of(self.phase.name), self.config.training.early_stopping_patience)

    def end_epoch(self, trained: Score, validated: Score, rate: float) -> None:
        """Record an epoch; raises `TrainingDiverged` if a loss is not finite."""
        number = len(self.history.epochs) + 1
        if not (isfinite(trained.loss) and isfinite(validated.loss)):
            raise TrainingDiverged(f"the loss is no longer finite in epoch {number}: lower optimizer.learning_rate")
        metrics = epoch_metrics(trained.loss, trained.accuracy, validated.loss, validated.accuracy, rate)
        self.history.epochs.append(Epoch(number, self.phase.name, metrics))
        losses = self.history.losses_of(self.phase.name)
        if self.config.optimizer.schedule == "plateau":
            self._lower_rate(losses)
        if self.checkpoint is not None:
            save(capture(self.network, self.memory, self.history, self.best), self.checkpoint)
        self.watcher.on_epoch(self.history.epochs[-1])

    def _lower_rate(self, losses: list[float]) -> None:
        """As Keras' ReduceLROnPlateau, for an optimizer of several parts, which has no single learning rate."""
        optimizer = self.config.optimizer
        if reductions(losses, optimizer.plateau_patience) > reductions(losses[:-1], optimizer.plateau_patience):
            for part in single_optimizers(self.optimizer):
                part.learning_rate = learning_rate(part) * optimizer.plateau_factor
