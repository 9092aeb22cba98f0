"""The compiled steps of one phase: many updates in one TensorFlow call, with the same numbers as single updates."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cxr.config.schema import Config
from cxr.model.fused_batch_norm import fuse_batch_norms
from cxr.model.losses.registry import Loss
from cxr.model.optimizer import optimizer_variables, single_optimizers
from cxr.training.checkpoint import assign
from cxr.training.engine import on_gpu
from cxr.training.group_robust import GroupWeights
from cxr.training.inputs import Inputs, chunks_of
from cxr.training.update import Averages, clipped, mixed, partners

# Updates after which XLA's compilation has paid for itself on a GPU: of MobileNetV2 whole it takes 49 s for a size of batch, and
# saves 15 ms an update on an H100 (scripts/bench gpu). A last batch of an epoch that is smaller is compiled too.
_XLA_PAYS_AFTER = 6000

Step = Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]]  # a batch and its targets to losses and logits
Totals = Callable[..., tuple[Any, Any]]  # inputs, targets and batch size to what the steps sum up to


def xla_pays(config: Config, updates: int) -> bool:
    """Whether to compile so many updates with XLA: on a GPU, where they are many.

    Not in deterministic mode, since it chooses kernels by their speed, nor with mixup, whose random numbers it can't draw; for
    dropout it draws others. On a CPU it runs MobileNetV2 several times slower than TensorFlow's own kernels.
    """
    return on_gpu() and updates >= _XLA_PAYS_AFTER and not (config.training.deterministic or config.augment.mixup)


@dataclass(frozen=True)
class Score:
    """Mean loss and accuracy over images, each at the time of its batch."""

    loss: float
    accuracy: float


class Steps:
    """Training and evaluation of one part of a network on inputs (n, ...) and one-hot targets (n, classes).

    The optimizer has to be built. `train` does what Keras' `fit` does with the same batches in the same order, and what `config`
    sets of mixup, clipping and averages. `xla` compiles the updates of arrays with XLA. With `groups` an update weighs the groups
    of its images. `body` makes pooled features of inputs; without one, inputs are those.
    """

    def __init__(
        self,
        part: keras.Model,
        inputs: Inputs,
        targets: NDArray[np.float32],
        loss: Loss,
        optimizer: keras.optimizers.Optimizer,
        config: Config,
        xla: bool = False,
        groups: GroupWeights | None = None,
        body: keras.Model | None = None,
    ) -> None:
        self.inputs, self.optimizer, self.groups = inputs, optimizer, groups
        self.targets = targets if groups is None else np.concatenate([targets, groups.members], axis=1)
        mixup, clip_norm, decay = config.augment.mixup, config.optimizer.clip_norm, config.training.weight_average
        images = tf.TensorSpec((None, *inputs.shape), inputs.dtype)
        labels = tf.TensorSpec((None, self.targets.shape[1]), tf.float32)  # the class of each image, and its group
        classes = targets.shape[1]
        channels = part.input.shape[-1] // inputs.shape[-1]  # a whole network takes grey levels three times
        variables = part.trainable_variables
        iterations = single_optimizers(optimizer)[0].iterations
        self.averages = averages = Averages(variables, decay) if decay else None

        forward = fuse_batch_norms(part)

        def logits_of(batch: tf.Tensor, training: bool) -> tf.Tensor:
            return forward(_in_channels(batch, channels), training)

        def losses_of(batch: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            if not mixup:
                logits = logits_of(batch, training=True)
                return loss(target, logits), logits
            share, order = partners(tf.shape(batch)[0], mixup, config.training.seed, iterations.value)
            logits = logits_of(mixed(batch, share, order), training=True)
            return share * loss(target, logits) + (1 - share) * loss(tf.gather(target, order), logits), logits

        def update(batch: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                losses, logits = losses_of(batch, target[:, :classes])
                whole = tf.reduce_mean(losses) if groups is None else groups.loss(losses, target[:, classes:])
                scaled = optimizer.scale_loss(whole)
            gradients = tape.gradient(scaled, [variable.value for variable in variables])
            if clip_norm is not None:
                gradients = clipped(gradients, clip_norm, optimizer.scale_loss(1.0))
            optimizer.apply(gradients, variables)
            if averages is not None:
                averages.update()
            return losses, logits

        def evaluate(batch: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            logits = logits_of(batch, training=False)
            return loss(target[:, :classes], logits), logits

        def counted(step: Step) -> Step:
            """The sum of losses and the number of correct images of one batch."""

            def count(batch: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
                losses, logits = step(batch, target)
                right = tf.argmax(logits, axis=-1) == tf.argmax(target[:, :classes], axis=-1)
                return tf.reduce_sum(losses), tf.reduce_sum(tf.cast(right, tf.float32))

            return count

        self._train = _over_batches(counted(update), images, labels, xla=xla)
        self._evaluate = _over_batches(counted(evaluate), images, labels)
        self._predict = _compiled(lambda x: tf.nn.softmax(logits_of(x, training=False)), images)
        self._pool = (lambda x: x) if body is None else _compiled(lambda x: body(_in_channels(x, channels), training=False), images)

    @property
    def memory(self) -> list[keras.Variable]:
        """What later updates depend on, beside weights: of the optimizer, of averages and of the weights of groups."""
        averages = self.averages.memory if self.averages else []
        return [*optimizer_variables(self.optimizer), *averages, *(self.groups.memory if self.groups else [])]

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within the block the network has its averaged weights, where there are any: they are what is validated and kept."""
        before = self.averages.swap_in() if self.averages else []
        try:
            yield
        finally:
            if self.averages:
                assign(self.averages.variables, before)

    def train(self, rows: NDArray[np.int64], view: int | None, batch_size: int, on_progress: Callable[[int, int], None]) -> Score:
        """Train one epoch: one update for each `batch_size` rows, in order.

        Args:
            rows: (n,).
        """
        return mean_scores(self._train, self.inputs, self.targets, rows, view, batch_size, on_progress)[0]

    def evaluate(self, rows: NDArray[np.int64], batch_size: int) -> Score:
        """Loss and accuracy on unaugmented rows; the network does not change.

        Args:
            rows: (n,).
        """
        return mean_scores(self._evaluate, self.inputs, self.targets, rows, None, batch_size)[0]

    def predict(self, rows: NDArray[np.int64], batch_size: int) -> NDArray[np.float64]:
        """Probabilities of unaugmented rows, (n, classes), each row sums to 1.

        Args:
            rows: (n,).
        """
        probabilities = self._batch_by_batch(self._predict, rows, batch_size).astype(np.float64)
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))

    def pooled(self, rows: NDArray[np.int64], batch_size: int) -> NDArray[np.float32]:
        """Pooled features of unaugmented rows, (n, channels).

        Args:
            rows: (n,).
        """
        return np.asarray(self._batch_by_batch(self._pool, rows, batch_size), np.float32)

    def _batch_by_batch(self, function: Callable[..., Any], rows: NDArray[np.int64], batch_size: int) -> NDArray[Any]:
        results = [
            np.asarray(function(values[start : start + batch_size]))
            for _, values in chunks_of(self.inputs, rows, None, batch_size)
            for start in range(0, len(values), batch_size)
        ]
        return np.concatenate(results)


def mean_scores(
    totals: Totals,
    inputs: Inputs,
    targets: NDArray[np.float32],
    rows: NDArray[np.int64],
    view: int | None,
    batch_size: int,
    on_progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Score]:
    """Loss and accuracy of each head over rows, which are taken in order, `batch_size` at once.

    Args:
        targets: (m, classes), one-hot, of all images.
        rows: (n,).
    """
    losses, right, done = np.zeros(()), np.zeros(()), 0
    for chosen, values in chunks_of(inputs, rows, view, batch_size):
        sums = totals(values, targets[chosen], batch_size)
        losses, right, done = losses + np.asarray(sums[0], float), right + np.asarray(sums[1], float), done + len(chosen)
        on_progress(done, len(rows))
    pairs = zip(np.atleast_1d(losses / len(rows)), np.atleast_1d(right / len(rows)), strict=True)
    return [Score(float(loss), float(accuracy)) for loss, accuracy in pairs]


def _in_channels(batch: tf.Tensor, count: int) -> tf.Tensor:
    return tf.repeat(batch, count, axis=-1) if count > 1 else batch


def _over_batches(step: Step, images: tf.TensorSpec, targets: tf.TensorSpec, xla: bool = False) -> Totals:
    """Vectors are never compiled with XLA, which can't cut batches out."""
    return over_vectors(step, images, targets) if len(images.shape) == 2 else _over_arrays(step, images, targets, xla=xla)


def over_vectors(step: Step, *signature: tf.TensorSpec, heads: int | None = None) -> Totals:
    """All batches in one call: for steps that take less time than a call. Sums are numbers, or of several `heads` vectors."""
    none = tf.zeros(() if heads is None else (heads,))

    def totals(inputs: tf.Tensor, targets: tf.Tensor, size: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def body(start: tf.Tensor, losses: tf.Tensor, right: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            sums = step(inputs[start : start + size], targets[start : start + size])
            return start + size, losses + sums[0], right + sums[1]

        begin = (tf.constant(0), none, none)
        ended: tuple[tf.Tensor, ...] = tf.while_loop(
            lambda start, *_: start < tf.shape(inputs)[0], body, begin, parallel_iterations=1
        )
        return ended[1], ended[2]

    return _compiled(totals, *signature, tf.TensorSpec((), tf.int32))


def _over_arrays(step: Step, *signature: tf.TensorSpec, xla: bool = False) -> Totals:
    """A call for each batch: inside a TensorFlow loop, convolutions were a third slower."""
    compiled = _compiled(step, *signature, xla=xla)

    def totals(inputs: NDArray[Any], targets: NDArray[np.float32], size: int) -> tuple[float, float]:
        sums = [compiled(inputs[start : start + size], targets[start : start + size]) for start in range(0, len(inputs), size)]
        return sum(float(losses) for losses, _ in sums), sum(float(right) for _, right in sums)

    return totals


def _compiled(function: Callable[..., Any], *signature: tf.TensorSpec, xla: bool = False) -> Callable[..., Any]:
    compiled: Callable[..., Any] = tf.function(function, input_signature=signature, autograph=False, jit_compile=xla)
    return compiled
