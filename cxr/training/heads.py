"""Heads side by side: jobs that differ in loss and optimizer alone train on the same batches, all in one TensorFlow call."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from math import isfinite
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cxr.cache.store import Cache
from cxr.config.schema import Config
from cxr.data.augment import view_of_epoch
from cxr.data.views import Viewer
from cxr.model.freeze import POOLED, apply_freeze
from cxr.model.losses.registry import Loss
from cxr.model.network import Network
from cxr.model.optimizer import LearningRates, make_optimizer, make_stacked_optimizer, optimizer_variables, rate_shares, update_rule
from cxr.model.partition import partition
from cxr.training.checkpoint import Arrays, State, assign, capture
from cxr.training.fit import TrainingSet, Watcher
from cxr.training.frozen import FrozenPart
from cxr.training.history import Epoch, FrozenWork, History, epoch_metrics, epochs_since_best, reductions, stops_early
from cxr.training.inputs import Activations, chunks_of
from cxr.training.phases import plan_phases
from cxr.training.steps import Totals, over_vectors

Values = NDArray[Any]


@dataclass
class _Head:
    """One job's head: its course so far, and the weights of its best epoch."""

    config: Config
    loss: Loss
    history: History = field(default_factory=History)
    best: Arrays = field(default_factory=list)
    diverged: bool = False

    @property
    def has_ended(self) -> bool:
        epochs, patience = len(self.history.epochs), self.config.training.early_stopping_patience
        return self.diverged or epochs >= self.config.training.epochs or stops_early(self.history.losses, patience)


def fit_heads(
    network: Network,
    data: TrainingSet,
    jobs: Sequence[tuple[Config, Loss]],
    cache: Cache,
    watcher: Watcher,
    work: FrozenWork | None = None,
) -> list[State | None]:
    """The state in which the training of each job on its own would end, to rounding; None for one whose loss is not finite.

    The configs of all jobs have the same data, seed, batches and views, and train the head alone; `network` has the head with which
    each of them begins; `cxr.run.groups` says what they may differ in. `work` counts activations.
    """
    config = jobs[0][0]
    apply_freeze(network.trainee.operations, network.architecture, POOLED, config.freeze)
    parts = partition(network, POOLED)
    assert parts is not None
    viewer = Viewer(data.images, data.hashes, config.augment, config.training.seed, data.backgrounds)
    inputs = Activations(FrozenPart(parts, viewer, config), cache, watcher.computing, work or FrozenWork())
    heads = [_Head(*job) for job in jobs]
    stack = _Stack(network, heads, -(-len(data.train) // config.training.batch_size))
    phase = plan_phases(config)[0].name

    def over(function: Totals, rows: NDArray[np.int64], view: int | None, batch_size: int) -> tuple[Values, Values]:
        losses, right = np.zeros(len(heads)), np.zeros(len(heads))
        for chosen, values in chunks_of(inputs, rows, view, batch_size):
            found = function(values, data.targets[chosen], batch_size)
            losses, right = losses + found[0], right + found[1]
        return losses / len(rows), right / len(rows)

    epoch, longest = 0, max(config.training.epochs for config, _ in jobs)
    while not all(head.has_ended for head in heads):
        rates = stack.rates()
        order, view = data.order(config.training, epoch), view_of_epoch(config.augment, epoch)
        trained = over(stack.train, order, view, config.training.batch_size)
        validated = over(stack.evaluate, data.val, None, config.evaluation.batch_size)
        values = stack.values()
        for number, head in enumerate(heads):
            if not head.has_ended:
                numbers = [float(each[number]) for each in (*trained, *validated, rates)]
                _end_epoch(head, phase, epoch_metrics(*numbers), values[number])
        stack.lower_rates()
        epoch += 1
        watcher.on_images(epoch, longest)
    return [_state_of(head, network) for head in heads]


def _end_epoch(head: _Head, phase: str, metrics: dict[str, float], values: Arrays) -> None:
    if not (isfinite(metrics["train/loss"]) and isfinite(metrics["val/loss"])):
        head.diverged = True
        return
    head.history.epochs.append(Epoch(len(head.history.epochs) + 1, phase, metrics))
    if epochs_since_best(head.history.losses) == 0:
        head.best, head.history.best_epoch = values, len(head.history.epochs)


def _state_of(head: _Head, network: Network) -> State | None:
    """What a checkpoint of the job holds after its last epoch; no update follows, so the optimizer is a new one."""
    if head.diverged:
        return None
    assign(network.trainee.trainable_variables, head.best)
    optimizer = make_optimizer(head.config, network.trainee.trainable_variables, rate_shares(head.config, network), 1)
    return capture(network, optimizer_variables(optimizer), head.history, head.best)


class _Stack:
    """Weights of all heads along a first axis, in one group for each update rule, and the steps that train and evaluate them."""

    def __init__(self, network: Network, heads: Sequence[_Head], updates: int) -> None:
        order = sorted(range(len(heads)), key=lambda number: update_rule(heads[number].config.optimizer))
        rules = groupby(order, key=lambda number: update_rule(heads[number].config.optimizer))
        self.heads, self.groups = heads, [list(numbers) for _, numbers in rules]
        kernel, bias = (np.asarray(each.value) for each in network.trainee.trainable_variables)
        dropout = network.trainee.get_layer("dropout")
        self._weights: list[list[keras.Variable]] = []
        self._rates: list[LearningRates] = []
        self._optimizers: list[keras.optimizers.Optimizer] = []
        for numbers in self.groups:
            configs = [heads[number].config for number in numbers]
            stacked = [np.stack([each] * len(numbers)) for each in (kernel, bias[None])]
            self._weights.append([keras.Variable(each) for each in stacked])
            rates = LearningRates([each.optimizer for each in configs], [each.training.epochs * updates for each in configs])
            self._rates.append(rates)
            self._optimizers.append(make_stacked_optimizer([each.optimizer for each in configs], self._weights[-1], rates))

        def losses_of(seen: tf.Tensor, target: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
            """Of each head in the order of groups: a loss for each image, and whether its class was found."""
            losses, right = [], []
            for numbers, (kernels, biases) in zip(self.groups, self._weights, strict=True):
                logits = tf.einsum("nd,jdc->jnc", seen, kernels.value) + biases.value
                for place, number in enumerate(numbers):
                    losses.append(heads[number].loss(target, logits[place]))
                    right.append(tf.argmax(logits[place], axis=-1) == tf.argmax(target, axis=-1))
            return losses, right

        def sums(losses: list[tf.Tensor], right: list[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            counted = tf.stack([tf.reduce_sum(tf.cast(each, tf.float32)) for each in right])
            return tf.stack([tf.reduce_sum(each) for each in losses]), counted

        def update(batch: tf.Tensor, target: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            weights = [each for group in self._weights for each in group]
            with tf.GradientTape() as tape:
                losses, right = losses_of(dropout(batch, training=True), target)
                whole = tf.add_n([tf.reduce_mean(each) for each in losses])  # the weights of each head are in one term alone
            gradients = tape.gradient(whole, [each.value for each in weights])
            for place, optimizer in enumerate(self._optimizers):
                optimizer.apply(gradients[2 * place : 2 * place + 2], self._weights[place])
            return sums(losses, right)

        images = tf.TensorSpec((None, kernel.shape[0]), tf.float32)
        targets = tf.TensorSpec((None, kernel.shape[1]), tf.float32)
        self._in_order = np.argsort([number for numbers in self.groups for number in numbers])
        count = len(heads)
        self._train = over_vectors(update, images, targets, heads=count)
        self._evaluate = over_vectors(lambda batch, target: sums(*losses_of(batch, target)), images, targets, heads=count)

    def train(self, inputs: Values, targets: Values, batch_size: int) -> tuple[Values, Values]:
        """An update for each batch; sums of losses and of correct images, (heads,) each."""
        return self._ordered(self._train(inputs, targets, batch_size))

    def evaluate(self, inputs: Values, targets: Values, batch_size: int) -> tuple[Values, Values]:
        """The same sums without updates."""
        return self._ordered(self._evaluate(inputs, targets, batch_size))

    def _ordered(self, sums: tuple[Any, Any]) -> tuple[Values, Values]:
        losses, right = (each.numpy()[self._in_order] for each in sums)
        return losses, right

    def rates(self) -> Values:
        """The rate of the next update of each head, (heads,)."""
        pairs = zip(self._rates, self._optimizers, strict=True)
        found = np.concatenate([np.asarray(rates(optimizer.iterations)).ravel() for rates, optimizer in pairs])
        return np.asarray(found[self._in_order])

    def values(self) -> list[Arrays]:
        """Copies of the kernel and the bias of each head."""
        found = []
        for kernels, biases in self._weights:
            arrays = np.asarray(kernels.value), np.asarray(biases.value)
            found += [[kernel.copy(), bias[0].copy()] for kernel, bias in zip(*arrays, strict=True)]
        return [found[place] for place in self._in_order]

    def lower_rates(self) -> None:
        """Lower the rates of heads whose loss has reached a plateau."""
        for numbers, rates in zip(self.groups, self._rates, strict=True):
            rates.factors.assign([_left_of_rate(self.heads[number]) for number in numbers])


def _left_of_rate(head: _Head) -> float:
    optimizer = head.config.optimizer
    if optimizer.schedule != "plateau":
        return 1.0
    return float(optimizer.plateau_factor ** reductions(head.history.losses, optimizer.plateau_patience))
