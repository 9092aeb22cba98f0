"""Fitting the network: phase by phase, early stopping on validation loss, the best epoch's weights kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cxr.config import Config
from cxr.data.batches import Batches, plain_batches
from cxr.model.freeze import apply_freeze
from cxr.model.network import Network
from cxr.model.optimizer import learning_rate, make_optimizer, single_optimizers
from cxr.training.phases import Phase, plan_phases


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to; `number` counts from 1 over all phases."""

    number: int
    phase: str
    metrics: dict[str, float]  # train/loss, train/accuracy, val/loss, val/accuracy, train/learning_rate


@dataclass(frozen=True)
class TrainingSet:
    """All images with one-hot targets, and which rows train and validate."""

    images: NDArray[np.uint8]  # (n, size, size, 1)
    targets: NDArray[np.float32]  # (n, classes)
    train: NDArray[np.int64]
    val: NDArray[np.int64]


@dataclass
class Watcher:
    """Who wants to know while it trains: after each batch (done, of how many), and after each epoch."""

    on_phase: Callable[[Phase, int], None] = lambda phase, trainable: None
    on_batch: Callable[[int, int], None] = lambda done, of: None
    on_epoch: Callable[[Epoch], None] = lambda epoch: None


@dataclass
class History:
    """The epochs so far, and the one whose weights the network holds at the end."""

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


def fit(network: Network, data: TrainingSet, loss: Callable[[Any, Any], Any], config: Config, watcher: Watcher) -> History:
    """Train `network` in place and say how it went.

    Early stopping ends a phase, and each phase ends with the weights of its epoch of lowest validation loss. Raises
    `TrainingDiverged` where the loss is no longer finite.
    """
    training = config.training
    batches = Batches(data.images, data.targets, data.train, config.augment, training.batch_size, training.seed)
    validation = plain_batches(data.images, data.targets, data.val, config.evaluation.batch_size)
    history = History()
    for phase in plan_phases(config):
        done = len(history.epochs)
        apply_freeze(network.trainee, phase.trainable_from, config.freeze.batch_norm)
        watcher.on_phase(phase, sum(int(np.prod(v.shape)) for v in network.trainee.trainable_variables))
        network.trainee.compile(
            optimizer=make_optimizer(config.optimizer, network.trainee, phase.epochs * batches.steps_per_epoch),
            loss=loss,
            metrics=["accuracy"],
            jit_compile=False,  # on CPUs XLA runs MobileNetV2 several times slower than TensorFlow's own kernels
        )
        network.trainee.fit(
            batches.from_epoch(done, phase.epochs),
            steps_per_epoch=batches.steps_per_epoch,
            initial_epoch=done,
            epochs=done + phase.epochs,
            validation_data=validation,
            shuffle=False,  # the batches come shuffled
            callbacks=_callbacks(config, phase, history, batches.steps_per_epoch, watcher),
            verbose=0,
        )
    return history


def predict(
    classifier: keras.Model, images: NDArray[np.uint8], rows: Sequence[NDArray[np.int64]], batch_size: int
) -> list[NDArray[np.float64]]:
    """Probabilities of grey images (n, size, size, 1) for each set of rows: (len(rows), classes), each row summing to 1."""
    forward = tf.function(lambda grey: classifier(grey, training=False), reduce_retracing=True)  # Keras' predict would use XLA
    unused = np.zeros((len(images), 1), np.float32)

    def of_rows(chosen: NDArray[np.int64]) -> NDArray[np.float64]:
        found = [forward(grey).numpy() for grey, _ in plain_batches(images, unused, chosen, batch_size)]
        probabilities = np.concatenate(found).astype(np.float64)
        return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))

    return [of_rows(chosen) for chosen in rows]


def _callbacks(config: Config, phase: Phase, history: History, steps: int, watcher: Watcher) -> list[keras.callbacks.Callback]:
    patience = config.training.early_stopping_patience
    chosen = [
        _Reporter(phase, history, steps, watcher),
        _KeepBest(history),
    ]
    if patience is not None:
        chosen.append(keras.callbacks.EarlyStopping("val_loss", mode="min", patience=patience))
    if config.optimizer.schedule == "plateau":
        chosen.append(_Plateau(config.optimizer.plateau_factor, config.optimizer.plateau_patience))
    return chosen


class _Reporter(keras.callbacks.Callback):
    """Names each epoch's numbers as the project does, keeps them, and tells the watcher."""

    def __init__(self, phase: Phase, history: History, steps: int, watcher: Watcher) -> None:
        super().__init__()
        self.phase, self.history, self.steps, self.watcher = phase, history, steps, watcher
        self.rate = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.rate = learning_rate(single_optimizers(self.model.optimizer)[0])

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.watcher.on_batch(batch + 1, self.steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        logs = logs or {}
        metrics = {
            "train/loss": logs["loss"],
            "train/accuracy": logs["accuracy"],
            "val/loss": logs["val_loss"],
            "val/accuracy": logs["val_accuracy"],
            "train/learning_rate": self.rate,
        }
        if not (isfinite(metrics["train/loss"]) and isfinite(metrics["val/loss"])):
            raise TrainingDiverged(f"the loss is no longer finite in epoch {epoch + 1}: lower optimizer.learning_rate")
        self.history.epochs.append(Epoch(epoch + 1, self.phase.name, {name: float(value) for name, value in metrics.items()}))
        self.watcher.on_epoch(self.history.epochs[-1])


class _KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the phase's epoch of lowest validation loss, also where it never stops early."""

    def __init__(self, history: History) -> None:
        super().__init__()
        self.history = history
        self.lowest = float("inf")
        self.weights: list[NDArray[np.float32]] | None = None

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {})["val_loss"]
        if loss < self.lowest:
            self.lowest, self.weights, self.history.best_epoch = loss, self.model.get_weights(), epoch + 1

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        if self.weights is not None:
            self.model.set_weights(self.weights)


class _Plateau(keras.callbacks.Callback):
    """Keras' ReduceLROnPlateau for an optimizer of several parts, which has no learning rate of its own."""

    def __init__(self, factor: float, patience: int) -> None:
        super().__init__()
        self.factor, self.patience = factor, patience
        self.lowest, self.waited = float("inf"), 0

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        loss = (logs or {})["val_loss"]
        if loss < self.lowest:
            self.lowest, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.waited = 0
            for optimizer in single_optimizers(self.model.optimizer):
                optimizer.learning_rate = learning_rate(optimizer) * self.factor
