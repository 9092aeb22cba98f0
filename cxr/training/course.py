"""The course of one phase: its epochs, the weights of the best one, early stopping, and rates that fall on a plateau."""

from collections.abc import Sequence
from math import isfinite

import keras

from cxr.config.schema import Config
from cxr.errors import TrainingDiverged
from cxr.model.optimizer import learning_rate, single_optimizers
from cxr.training.checkpoint import Arrays, values_of
from cxr.training.history import Epoch, History, epochs_since_best, is_on_plateau, stops_early
from cxr.training.phases import Phase
from cxr.training.steps import Score


class Course:
    """Adds the epochs of a phase to `history`; `best` are the values of `weights` after the best epoch so far."""

    def __init__(
        self,
        weights: Sequence[keras.Variable],
        optimizer: keras.optimizers.Optimizer,
        config: Config,
        phase: Phase,
        history: History,
    ) -> None:
        self.weights, self.optimizer, self.config, self.phase, self.history = weights, optimizer, config, phase, history
        self.best: Arrays = values_of(weights)

    @property
    def rate(self) -> float:
        """The learning rate of the next update; of several rates that of the head."""
        return learning_rate(single_optimizers(self.optimizer)[0])

    @property
    def has_ended(self) -> bool:
        """Whether the phase has all its epochs, or early stopping ends it here."""
        losses = self.history.losses_of(self.phase.name)
        return len(losses) >= self.phase.epochs or stops_early(losses, self.config.training.early_stopping_patience)

    def keep_if_best(self, validated: Score) -> None:
        """Keep the present weights if no earlier epoch, of this phase or of one before it, had a validation loss as low."""
        if epochs_since_best([*self.history.losses, validated.loss]) == 0:
            self.best, self.history.best_epoch = values_of(self.weights), len(self.history.epochs) + 1

    def end_epoch(self, trained: Score, validated: Score, rate: float) -> None:
        """Record an epoch that trained at `rate`.

        Raises:
            TrainingDiverged: A loss is not finite.
        """
        number = len(self.history.epochs) + 1
        if not (isfinite(trained.loss) and isfinite(validated.loss)):
            raise TrainingDiverged(f"the loss is no longer finite in epoch {number}: lower optimizer.learning_rate")
        metrics = {
            "train/loss": trained.loss,
            "train/accuracy": trained.accuracy,
            "val/loss": validated.loss,
            "val/accuracy": validated.accuracy,
            "train/learning_rate": rate,
        }
        self.history.epochs.append(Epoch(number, self.phase.name, metrics))
        optimizer, losses = self.config.optimizer, self.history.losses_of(self.phase.name)
        if optimizer.schedule == "plateau" and is_on_plateau(losses, optimizer.plateau_patience):
            for part in single_optimizers(self.optimizer):  # Keras' ReduceLROnPlateau knows optimizers of one rate alone
                part.learning_rate = learning_rate(part) * optimizer.plateau_factor
