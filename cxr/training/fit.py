"""Fitting: phase by phase, early stopping on validation loss, the best epoch's weights kept, and gone on with when cut off."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
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
from cxr.training.checkpoint import Arrays, State, assign, capture, load, restore, save, trained_weights, values_of
from cxr.training.history import Epoch, History, epochs_since_best, reductions
from cxr.training.phases import Phase, plan_phases


@dataclass(frozen=True)
class TrainingSet:
    """All images with one-hot targets, and which rows train and validate."""

    images: NDArray[np.uint8]  # (n, size, size, 1)
    targets: NDArray[np.float32]  # (n, classes)
    train: NDArray[np.int64]
    val: NDArray[np.int64]


@dataclass
class Watcher:
    """Who wants to know: epochs found on disk, each phase, each batch (done, of how many), each epoch."""

    on_resume: Callable[[History], None] = lambda history: None
    on_phase: Callable[[Phase, int], None] = lambda phase, trainable: None
    on_batch: Callable[[int, int], None] = lambda done, of: None
    on_epoch: Callable[[Epoch], None] = lambda epoch: None


class TrainingDiverged(RuntimeError):
    """The loss is no longer a number."""


def fit(
    network: Network,
    data: TrainingSet,
    loss: Callable[[Any, Any], Any],
    config: Config,
    watcher: Watcher,
    checkpoint: Path | None = None,
) -> History:
    """Train `network` in place and say how it went.

    Early stopping ends a phase, and each phase ends with the weights of its epoch of lowest validation loss. With a
    `checkpoint` file the state is kept there after each epoch, and a training of the same config and data goes on from it as
    if it had never stopped. Raises `TrainingDiverged` where the loss is no longer finite.
    """
    batches = Batches(data.images, data.targets, data.train, config.augment, config.training.batch_size, config.training.seed)
    validation = plain_batches(data.images, data.targets, data.val, config.evaluation.batch_size)
    found = load(checkpoint) if checkpoint else None
    history = found.history if found else History()
    if found:
        watcher.on_resume(history)
    phases = plan_phases(config)
    reached = [phase.name for phase in phases].index(history.epochs[-1].phase) if history.epochs else 0
    for phase in phases[reached:]:
        apply_freeze(network.trainee, phase.trainable_from, config.freeze.batch_norm)
        watcher.on_phase(phase, sum(int(np.prod(v.shape)) for v in network.trainee.trainable_variables))
        network.trainee.compile(
            optimizer=make_optimizer(config.optimizer, network.trainee, phase.epochs * batches.steps_per_epoch),
            loss=loss,
            metrics=["accuracy"],
            jit_compile=False,  # on CPUs XLA runs MobileNetV2 several times slower than TensorFlow's own kernels
        )
        course = _Course(network, config, phase, history, batches.steps_per_epoch, watcher, checkpoint)
        if found:
            course.resume(found)
            found = None
        done, left = len(history.epochs), phase.epochs - len(history.losses_of(phase.name))
        if left and not course.has_ended():
            network.trainee.fit(
                batches.from_epoch(done, left),
                steps_per_epoch=batches.steps_per_epoch,
                initial_epoch=done,
                epochs=done + left,
                validation_data=validation,
                shuffle=False,  # the batches come shuffled
                callbacks=[course],
                verbose=0,
            )
        assign(trained_weights(network), course.best)
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


class _Course(keras.callbacks.Callback):
    """One phase as it goes: names each epoch's numbers as the project does, keeps best weights and state, tells the watcher."""

    def __init__(
        self,
        network: Network,
        config: Config,
        phase: Phase,
        history: History,
        steps: int,
        watcher: Watcher,
        checkpoint: Path | None,
    ) -> None:
        super().__init__()
        self.network, self.config, self.phase, self.history = network, config, phase, history
        self.steps, self.watcher, self.checkpoint = steps, watcher, checkpoint
        self.best: Arrays = values_of(trained_weights(network))
        self.rate = 0.0

    def resume(self, state: State) -> None:
        """Go on from an earlier process' last epoch of this phase."""
        restore(self.network, state)
        self.best = state.best

    def has_ended(self) -> bool:
        """Whether early stopping ends the phase here."""
        patience = self.config.training.early_stopping_patience
        return patience is not None and epochs_since_best(self.history.losses_of(self.phase.name)) >= patience

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.rate = learning_rate(single_optimizers(self.model.optimizer)[0])

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.watcher.on_batch(batch + 1, self.steps)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._append(epoch + 1, logs or {})
        losses = self.history.losses_of(self.phase.name)
        if epochs_since_best(losses) == 0:
            self.best, self.history.best_epoch = values_of(trained_weights(self.network)), epoch + 1
        if self.config.optimizer.schedule == "plateau":
            self._lower_rate(losses)
        if self.checkpoint is not None:
            save(capture(self.network, self.history, self.best), self.checkpoint)
        self.watcher.on_epoch(self.history.epochs[-1])
        if self.has_ended():
            self.model.stop_training = True

    def _append(self, number: int, logs: dict[str, float]) -> None:
        metrics = {
            "train/loss": logs["loss"],
            "train/accuracy": logs["accuracy"],
            "val/loss": logs["val_loss"],
            "val/accuracy": logs["val_accuracy"],
            "train/learning_rate": self.rate,
        }
        if not (isfinite(metrics["train/loss"]) and isfinite(metrics["val/loss"])):
            raise TrainingDiverged(f"the loss is no longer finite in epoch {number}: lower optimizer.learning_rate")
        self.history.epochs.append(Epoch(number, self.phase.name, {name: float(value) for name, value in metrics.items()}))

    def _lower_rate(self, losses: list[float]) -> None:
        """What Keras' ReduceLROnPlateau does, for an optimizer of several parts, which has no learning rate of its own."""
        optimizer = self.config.optimizer
        if reductions(losses, optimizer.plateau_patience) > reductions(losses[:-1], optimizer.plateau_patience):
            for part in single_optimizers(self.model.optimizer):
                part.learning_rate = learning_rate(part) * optimizer.plateau_factor
