"""The history of a training: epochs, work on the frozen part, the check of the saved model. Imports no TensorFlow."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cxr.text import pluralize


@dataclass(frozen=True)
class Epoch:
    """The metrics of one epoch; `number` counts from 1 over all phases."""

    number: int
    phase: str
    metrics: dict[str, float]  # train/loss, train/accuracy, val/loss, val/accuracy, train/learning_rate


@dataclass
class History:
    """The epochs so far, and the one whose weights the network holds at the end."""

    epochs: list[Epoch] = field(default_factory=list)
    best_epoch: int = 0

    @property
    def losses(self) -> list[float]:
        """Validation losses of all epochs so far."""
        return [epoch.metrics["val/loss"] for epoch in self.epochs]

    @property
    def undone(self) -> bool:
        """Whether the last phase is undone, as none of its epochs was better than those before it."""
        return bool(self.epochs) and self.epochs[self.best_epoch - 1].phase != self.epochs[-1].phase

    def losses_of(self, phase: str) -> list[float]:
        """Validation losses of a phase's epochs so far."""
        return [epoch.metrics["val/loss"] for epoch in self.epochs if epoch.phase == phase]


@dataclass
class FrozenWork:
    """Numbers of activations that a run computed, and that it took from the cache."""

    computed: int = 0
    found: int = 0


@dataclass(frozen=True)
class Verified:
    """The number of held-out images that the saved model predicted, and the largest difference in a probability."""

    images: int
    largest: float
    tolerance: float

    @property
    def agreed(self) -> bool:
        """Whether rounding explains the difference."""
        return self.largest <= self.tolerance  # false for NaN

    @property
    def text(self) -> str:
        """The result as a sentence."""
        text = f"on {pluralize(self.images, 'image')} the saved model's probabilities differ by up to {self.largest:.1e}"
        return text if self.agreed else f"{text}: all predictions are made with the saved model; please report this"


def stops_early(losses: Sequence[float], patience: int | None) -> bool:
    """Whether a phase with these validation losses ends here.

    >>> stops_early([1.0, 2.0, 3.0], 2), stops_early([1.0, 2.0], 2), stops_early([1.0, 2.0, 3.0], None)
    (True, False, False)
    """
    return patience is not None and epochs_since_best(losses) >= patience


def epochs_since_best(losses: Sequence[float]) -> int:
    """How many epochs ago the loss was lowest; the first of equals counts.

    >>> epochs_since_best([3.0, 1.0, 2.0, 1.0]), epochs_since_best([])
    (2, 0)
    """
    return len(losses) - 1 - losses.index(min(losses)) if losses else 0


def is_on_plateau(losses: Sequence[float], patience: int) -> bool:
    """Whether a plateau lowers the learning rate here: after each `patience` epochs without a new lowest loss.

    >>> [is_on_plateau([2.0, 2.0, 2.0, 2.0, 2.0, 1.0][:count], 2) for count in range(1, 7)]
    [False, False, True, False, True, False]
    """
    waited = epochs_since_best(losses)
    return waited > 0 and waited % patience == 0
