"""How images reach the network: batches whose content is a pure function of the step, decoded images in, tf.data out."""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from cxr.config import AugmentConfig
from cxr.data.augment import changes_nothing, draw_views


@dataclass(frozen=True)
class Batches:
    """Training batches of an endless sequence of epochs, each a new shuffle of the same rows.

    `images` (n, size, size, 1) uint8 and `targets` (n, classes) float32 hold the whole set; `rows` says which train.
    """

    images: NDArray[np.uint8]
    targets: NDArray[np.float32]
    rows: NDArray[np.int64]
    augment: AugmentConfig
    batch_size: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in an epoch; the last may be smaller."""
        return -(-len(self.rows) // self.batch_size)

    def rows_at(self, step: int) -> NDArray[np.int64]:
        """Rows in the batch at a global step: the same for the same seed, however the run got there."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = np.random.Generator(np.random.Philox([self.seed, epoch])).permutation(self.rows)
        return order[place * self.batch_size : (place + 1) * self.batch_size]

    def from_epoch(self, first: int, count: int) -> tf.data.Dataset:
        """Batches (grey levels (b, size, size, 3) float32, targets (b, classes) float32) of `count` epochs from `first` on."""
        size, classes, plain = self.images.shape[1], self.targets.shape[1], changes_nothing(self.augment)

        def gather(step: NDArray[np.int64]) -> tuple[NDArray[np.generic], ...]:
            rows = self.rows_at(int(step))
            views = draw_views(self.augment, size, self.seed, int(step) // self.steps_per_epoch, rows)
            return self.images[rows], self.targets[rows], views.transforms, views.gain, views.offset

        def load(step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            kinds = (tf.uint8, tf.float32, tf.float32, tf.float32, tf.float32)
            grey, targets, transforms, gain, offset = tf.numpy_function(gather, [step], kinds, stateful=False)
            grey, targets = tf.ensure_shape(grey, (None, size, size, 1)), tf.ensure_shape(targets, (None, classes))
            seen = tf.cast(grey, tf.float32)
            if not plain:
                # Reflected edges, as Keras' own layers have them: black ones would tell a frozen backbone which images were moved.
                transforms = tf.ensure_shape(transforms, (None, 8))
                seen = keras.ops.image.affine_transform(seen, transforms, fill_mode="reflect", data_format="channels_last")
                gain, offset = tf.reshape(gain, (-1, 1, 1, 1)), tf.reshape(offset, (-1, 1, 1, 1))
                seen = tf.clip_by_value((seen - 127.5) * gain + 127.5 + offset, 0.0, 255.0)
            return tf.repeat(seen, 3, axis=-1), targets

        start = first * self.steps_per_epoch
        steps = tf.data.Dataset.range(start, start + count * self.steps_per_epoch)
        return steps.map(load, num_parallel_calls=2, deterministic=True).prefetch(2)


def plain_batches(
    images: NDArray[np.uint8], targets: NDArray[np.float32], rows: NDArray[np.int64], batch_size: int
) -> tf.data.Dataset:
    """The given rows in order, once, as they are: grey levels (b, size, size, 3) float32 and targets (b, classes) float32."""
    size, classes = images.shape[1], targets.shape[1]

    def gather(start: NDArray[np.int64]) -> tuple[NDArray[np.generic], ...]:
        chosen = rows[int(start) : int(start) + batch_size]
        return images[chosen], targets[chosen]

    def load(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        grey, target = tf.numpy_function(gather, [start], (tf.uint8, tf.float32), stateful=False)
        grey = tf.repeat(tf.cast(tf.ensure_shape(grey, (None, size, size, 1)), tf.float32), 3, axis=-1)
        return grey, tf.ensure_shape(target, (None, classes))

    return tf.data.Dataset.range(0, len(rows), batch_size).map(load, num_parallel_calls=2, deterministic=True).prefetch(2)
