"""What an update of the weights may do beside the step of its optimizer: mix images, limit gradients, average weights."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from cxr.training.checkpoint import Arrays, values_of


def partners(size: Any, alpha: float, seed: int, step: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """The share of its own image in each mixture of a batch, () from 0 to 1, and the row of the other image, (size,).

    One share of Beta(alpha, alpha) for the whole batch. Both depend on seed and step alone: a resumed training draws the same.

    Source:
        Zhang et al., "mixup: Beyond Empirical Risk Minimization", 2018, section 2 and algorithm of figure 1.
    """
    key = tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])
    draws = tf.random.stateless_gamma([2], key, alpha)  # Beta from two Gammas
    share = tf.math.divide_no_nan(draws[0], draws[0] + draws[1])
    order = tf.argsort(tf.random.stateless_uniform([size], key + 1))
    return share, order


def mixed(batch: tf.Tensor, share: tf.Tensor, order: tf.Tensor) -> tf.Tensor:
    """Each input mixed with its partner, (n, ...), in the type of the batch.

    On activations of a frozen part this is manifold mixup at its boundary.

    Args:
        batch: (n, ...).
        share: (), of the input itself, 0 to 1.
        order: (n,), the row of the partner.

    Source:
        Verma et al., "Manifold Mixup", 2019, section 2.
    """
    part = tf.cast(share, batch.dtype)
    return part * batch + (1 - part) * tf.gather(batch, order)


def clipped(gradients: Sequence[tf.Tensor], limit: float, scale: Any) -> list[tf.Tensor]:
    """Gradients scaled down together, (...) each, so that their common norm is at most `limit`.

    Args:
        gradients: (...), of a loss multiplied by `scale`.

    Source:
        Pascanu et al., "On the difficulty of training recurrent neural networks", 2013, algorithm 1.
    """
    limited, _ = tf.clip_by_global_norm(list(gradients), tf.cast(limit, tf.float32) * tf.cast(scale, tf.float32))
    return list(limited)


class Averages:
    """Exponential averages of variables over updates (Polyak and Juditsky 1992; the decay rises as in TensorFlow's own average).

    After update t, counted from 1, an average a becomes d a + (1 - d) w with d = min(decay, t / (t + 9)).
    """

    def __init__(self, variables: Sequence[keras.Variable], decay: float) -> None:
        self.variables, self.decay = list(variables), decay
        self.values = [keras.Variable(value, dtype=value.dtype.name, trainable=False) for value in values_of(variables)]
        self.count = keras.Variable(0, dtype="int64", trainable=False)

    @property
    def memory(self) -> list[keras.Variable]:
        """The averages and the number of updates, which later updates depend on."""
        return [*self.values, self.count]

    def update(self) -> None:
        """Take the present weights into the averages."""
        self.count.assign_add(1)
        updates = tf.cast(self.count.value, tf.float32)
        decay = tf.minimum(tf.constant(self.decay, tf.float32), updates / (updates + 9))
        for average, variable in zip(self.values, self.variables, strict=True):
            own = tf.cast(decay, average.dtype)
            average.assign(own * average.value + (1 - own) * tf.cast(variable.value, average.dtype))

    def swap_in(self) -> Arrays:
        """Give the variables their averages.

        Returns:
            What they were, (...) each, for `assign`.
        """
        before = values_of(self.variables)
        for average, variable in zip(self.values, self.variables, strict=True):
            variable.assign(average.value)
        return before
