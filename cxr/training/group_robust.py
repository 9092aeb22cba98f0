"""Group-robust training: groups of images with a higher loss get more weight, so that none is left behind."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray


class GroupWeights:
    """The weight of each group, which rises with its loss.

    Sagawa et al., "Distributionally Robust Neural Networks for Group Shifts", ICLR 2020, algorithm 1.

    `members` (n, groups) float32 has a 1 for the group of each image. Groups begin with equal weights.
    """

    def __init__(self, members: NDArray[np.float32], step: float) -> None:
        self.members, self.step = members, step
        count = members.shape[1]
        self.weights = keras.Variable(np.full(count, 1 / count, np.float32), trainable=False)

    @property
    def memory(self) -> list[keras.Variable]:
        """The weights of the groups, which later updates depend on."""
        return [self.weights]

    def loss(self, losses: Any, members: Any) -> Any:
        """The loss of a batch: the weighted sum of the means of its groups, after their weights have been updated.

        `losses` (batch,), `members` (batch, groups). A group without an image in the batch keeps its share.
        """
        counts = tf.reduce_sum(members, axis=0)
        means = tf.reduce_sum(members * losses[:, None], axis=0) / tf.maximum(counts, 1.0)
        raised = self.weights.value * tf.exp(self.step * tf.stop_gradient(means))
        self.weights.assign(raised / tf.reduce_sum(raised))
        return tf.reduce_sum(self.weights.value * means)


def cells_of(labels: NDArray[np.int64], sources: NDArray[np.int64], train: NDArray[np.int64]) -> NDArray[np.float32]:
    """Membership (n, cells) of each class and source that training images have; images of no such cell are in none.

    Args:
        labels: (n,).
        sources: (n,), numbers from 0.
        train: (k,), rows of training images.
    """
    pairs = np.stack([labels, sources], axis=1)
    cells = np.unique(pairs[train], axis=0)
    return np.asarray((pairs[:, None] == cells[None]).all(axis=2), np.float32)


def balanced(
    rows: NDArray[np.int64], labels: NDArray[np.int64], sources: NDArray[np.int64], seed: int, epoch: int
) -> NDArray[np.int64]:
    """Rows, (n,), drawn so that within a class each source comes as often as the others; classes keep their shares.

    Rows of a source that is smaller than its share come more than once, evenly; of a larger one other rows come in each epoch.

    Args:
        rows: (n,).
        labels: (m,), of all images.
        sources: (m,), numbers from 0.
    """
    rng, drawn = np.random.Generator(np.random.Philox([seed, epoch])), []
    for label in np.unique(labels[rows]):
        own = rows[labels[rows] == label]
        names = np.unique(sources[own])
        shares = np.diff(np.linspace(0, len(own), len(names) + 1).round().astype(int))
        for name, share in zip(names, shares, strict=True):
            some = own[sources[own] == name]
            rounds = [rng.permutation(some) for _ in range(-(-share // len(some)))]
            drawn.append(np.concatenate([np.empty(0, np.int64), *rounds])[:share])
    return rng.permutation(np.concatenate(drawn))
