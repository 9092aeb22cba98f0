"""Fitting: phase by phase, with early stopping on validation loss, the best epoch's weights, and checkpoints."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cxr.anatomy.backgrounds import Backgrounds
from cxr.cache.rows import Rows
from cxr.cache.store import Cache
from cxr.config.schema import Config, TrainingConfig
from cxr.data.augment import view_of_epoch
from cxr.data.views import Viewer
from cxr.errors import RunFailed
from cxr.model.freeze import apply_freeze, first_layer
from cxr.model.losses.registry import Loss
from cxr.model.network import Network
from cxr.model.optimizer import make_optimizer, rate_shares
from cxr.model.partition import partition, pooled_part
from cxr.training.checkpoint import assign, capture, load, moving_variables, save, trained_weights
from cxr.training.course import Course
from cxr.training.frozen import FrozenPart
from cxr.training.group_robust import GroupWeights, balanced, cells_of
from cxr.training.history import Epoch, FrozenWork, History
from cxr.training.inputs import Activations, Images, Inputs
from cxr.training.phases import Phase, plan_phases
from cxr.training.steps import Steps, xla_pays


@dataclass(frozen=True)
class TrainingSet:
    """All images with their pixel hashes and one-hot targets, and which rows train and validate.

    `backgrounds` are those that lungs are put on, if any are.
    """

    images: Rows  # (n, size, size, 1) uint8
    hashes: Sequence[str]
    targets: NDArray[np.float32]  # (n, classes)
    train: NDArray[np.int64]
    val: NDArray[np.int64]
    sources: NDArray[np.int64]  # number of the source of each image, (n,)
    backgrounds: Backgrounds | None = None

    @property
    def labels(self) -> NDArray[np.int64]:
        """Class of each image, (n,)."""
        return np.asarray(self.targets.argmax(axis=1), np.int64)

    @property
    def cells(self) -> NDArray[np.float32]:
        """Membership of each image in a class and source, (n, cells)."""
        return cells_of(self.labels, self.sources, self.train)

    def order(self, training: TrainingConfig, epoch: int) -> NDArray[np.int64]:
        """The training rows, (n,), of an epoch, from 0 over all phases: the same for the same seed, also in a resumed run."""
        if training.sampling == "source_balanced":
            return balanced(self.train, self.labels, self.sources, training.seed, epoch)
        return shuffled(self.train, training.seed, epoch)


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
    computing: Callable[[], AbstractContextManager[Callable[[int, int], None]]] = lambda: nullcontext(lambda done, of: None)


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
            raise  # cuDNN that finds no room to try its kernels raises another error with these words
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
    better epoch than those before it is undone. With a `checkpoint` file the state is kept there after each epoch, and a training
    of the same config and data resumes from it as if it had never stopped. With a `cache` the frozen part of the network is
    computed once for each image and view; without one the whole network runs in every epoch.

    Raises:
        TrainingDiverged: The loss is no longer finite.
        RunFailed: The memory of a GPU does not suffice.
    """
    resumed = load(checkpoint) if checkpoint else None
    history = resumed.history if resumed else History()
    if resumed:
        watcher.on_resume(history)
    elif checkpoint and checkpoint.exists():
        watcher.on_unreadable()
    phases, work = plan_phases(config), FrozenWork()
    reached = [phase.name for phase in phases].index(history.epochs[-1].phase) if history.epochs else 0
    for phase in phases[reached:]:
        steps = steps_of(phase, network, data, loss, config, watcher, cache, work)
        watcher.on_phase(phase, sum(int(np.prod(v.shape)) for v in network.trainee.trainable_variables))
        course = Course(trained_weights(network), steps.optimizer, config, phase, history)
        if resumed:
            assign(moving_variables(network), resumed.current)
            assign(steps.memory, resumed.optimizer)
            course.best, resumed = resumed.best, None
        while not course.has_ended:
            epoch, rate = len(history.epochs), course.rate
            order, view = data.order(config.training, epoch), view_of_epoch(config.augment, epoch)
            trained = steps.train(order, view, config.training.batch_size, watcher.on_images)
            with steps.averaged():
                validated = steps.evaluate(data.val, config.evaluation.batch_size)
                course.keep_if_best(validated)
            course.end_epoch(trained, validated, rate)
            if checkpoint is not None:
                save(capture(network, steps.memory, history, course.best), checkpoint)
            watcher.on_epoch(history.epochs[-1])
        assign(trained_weights(network), course.best)
    return fitted_by(steps, history, work, config)


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
    work = FrozenWork()
    return fitted_by(steps_of(plan_phases(config)[-1], network, data, loss, config, watcher, cache, work), history, work, config)


def fitted_by(steps: Steps, history: History, work: FrozenWork, config: Config) -> Fitted:
    """The end of a training: the network of `steps` as a function of rows."""
    at_once = config.evaluation.batch_size
    return Fitted(history, work, lambda rows: steps.predict(rows, at_once), lambda rows: steps.pooled(rows, at_once))


def steps_of(
    phase: Phase,
    network: Network,
    data: TrainingSet,
    loss: Loss,
    config: Config,
    watcher: Watcher,
    cache: Cache | None,
    work: FrozenWork,
) -> Steps:
    """The steps of a phase, with an optimizer as new; freezes what the phase does not train. `work` counts activations."""
    first = first_layer(phase.trainable_from, network.described)
    apply_freeze(network.trainee.operations, network.architecture, first, config.freeze)
    parts = None if cache is None else partition(network, first)
    viewer = Viewer(data.images, data.hashes, config.augment, config.training.seed, data.backgrounds)
    inputs: Inputs = Images(viewer)
    if cache is not None and parts is not None:
        inputs = Activations(FrozenPart(parts, viewer, config), cache, watcher.computing, work)
    updates = phase.epochs * -(-len(data.train) // config.training.batch_size)
    optimizer = make_optimizer(config, network.trainee.trainable_variables, rate_shares(config, network), updates)
    groups = GroupWeights(data.cells, config.loss.group_robust) if config.loss.group_robust else None
    part, body = (parts.trainable if parts else network.trainee), pooled_part(network.trainee, parts)
    return Steps(part, inputs, data.targets, loss, optimizer, config, xla_pays(config, updates), groups, body)


def shuffled(rows: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """The rows, (n,), of an epoch, from 0 over all phases: the same for the same seed, also in a resumed run.

    Args:
        rows: (n,).
    """
    return np.random.Generator(np.random.Philox([seed, epoch])).permutation(rows)
