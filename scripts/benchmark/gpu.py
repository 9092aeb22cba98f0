"""What a GPU does for the frozen part and for updates: by images at once, by precision, and with XLA."""

import gc
import statistics
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np
from measure import Options, add_row, seconds_of, table
from numpy.typing import NDArray
from rich.table import Table

from cxr.config.schema import BackboneConfig, Config, FreezeConfig
from cxr.system import cores, prepare_memory
from cxr.training.runtime import prepare_tensorflow

BACKBONES = ("mobilenet_v2", "densenet121")
AT_ONCE = (8, 32, 64, 128, 256)
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
SIZE, BATCH = 224, 32


def answer(options: Options) -> Iterator[Table | str]:
    """Images a second of the frozen part, and updates of training, with random weights and images at 224 px."""
    prepare_memory()
    prepare_tensorflow(Config().training)
    from cxr.training.runtime import compute

    if not (devices := compute()["gpus"]):
        yield "TensorFlow can use no GPU here: nothing is measured."
        return
    yield _frozen_table(devices[0], options.args.repeats)
    title = f"Updates of 32 images on {devices[0]}, by TensorFlow's kernels and by XLA"
    updates = table(title, "trained from", "precision", "XLA", "ms an update", "first update, s", "GPU memory, GB")
    for xla, name, depth, precision in product((False, True), BACKBONES, ("last_stage", "all"), PRECISIONS):
        cells = _update(name, depth, precision, xla, options.args.repeats)
        add_row(updates, name, depth, precision, "yes" if xla else "no", *cells)
    yield updates


def _frozen_table(device: str, repeats: int) -> Table:
    """Images a second of the part below `last_stage`, transfers included, by images at once, and on this machine's CPU."""
    import tensorflow as tf

    from cxr.training.engine import BATCHES

    title = f"The frozen part up to last_stage on {device}, float32, images/s by images at once, and on {cores()} cores"
    result = table(title, *map(str, AT_ONCE), f"CPU, {cores()} cores")
    for name in BACKBONES:
        parts = _partition(name, "float32")
        rates = [_rate(parts.frozen, count, repeats) for count in AT_ONCE]
        with tf.device("/CPU:0"):
            rates.append(_rate(parts.frozen, BATCHES["tensorflow"], repeats))
        add_row(result, name, *(f"{rate:.0f}" for rate in rates))
    return result


def _partition(name: str, precision: str) -> Any:
    from cxr.model.freeze import first_layer
    from cxr.model.partition import partition

    network = _network(name, precision)
    return partition(network, first_layer("last_stage", network.described))


def _network(name: str, precision: str) -> Any:
    import keras

    from cxr.model.network import build_network
    from cxr.model.weights import Weights

    keras.utils.clear_session()
    gc.collect()
    keras.config.set_dtype_policy(precision)
    return build_network(BackboneConfig(name=name, image_size=SIZE, weights="none"), 3, Weights())


def _rate(frozen: Any, count: int, repeats: int) -> float:
    """Images a second of the constant graph with so many images at once; as many batches as 1,024 images take."""
    import tensorflow as tf

    from cxr.training.engine import constant_graph

    graph = constant_graph(frozen, "float32", count)
    batches = np.random.default_rng(0).uniform(0, 255, (-(-1024 // count), count, SIZE, SIZE, 1)).astype(np.float32)
    on_cpu = "CPU" in (tf.zeros(1).device or "")
    batches = batches[: 8 if on_cpu else None]

    def compute() -> None:
        for batch in batches:
            graph(tf.constant(batch))[0].numpy()

    compute()
    return len(batches) * count / statistics.median(seconds_of(compute) for _ in range(repeats))


def _update(name: str, depth: str, precision: str, xla: bool, repeats: int) -> tuple[str, str, str]:
    """The steps of `cxr.training.steps` on 8 batches of random values: milliseconds, seconds of the first, GB of GPU memory."""
    import keras
    import tensorflow as tf

    from cxr.model.freeze import apply_freeze, first_layer
    from cxr.model.partition import partition
    from cxr.training.steps import Steps

    network = _network(name, precision)
    first = first_layer(depth, network.described)
    apply_freeze(network.trainee.operations, network.architecture, first, FreezeConfig())
    parts = partition(network, first)
    part = parts.trainable if depth != "all" and parts else network.trainee
    inputs = _Random(tuple(part.input.shape[1:]) if depth != "all" else (SIZE, SIZE, 1), precision if depth != "all" else "float32")
    optimizer = keras.optimizers.Adam(1e-4)
    if precision == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    optimizer.build(part.trainable_variables)
    targets = np.eye(3, dtype=np.float32)[np.arange(8 * BATCH) % 3]
    tf.config.experimental.reset_memory_stats("GPU:0")
    steps = Steps(part, inputs, targets, keras.losses.CategoricalCrossentropy(True, reduction=None), optimizer, Config(), xla=xla)

    def train(batches: int) -> None:
        steps.train(np.arange(batches * BATCH), None, BATCH, lambda done, of: None)

    first_seconds = seconds_of(lambda: train(1))
    train(8)
    taken = statistics.median(seconds_of(lambda: train(8)) for _ in range(repeats)) / 8
    memory = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e9
    return f"{1000 * taken:.1f}", f"{first_seconds:.1f}", f"{memory:.2f}"


class _Random:
    """Random inputs, (n, *shape)."""

    def __init__(self, shape: tuple[int, ...], precision: str) -> None:
        self.shape, self.dtype = shape, "float16" if precision == "mixed_float16" else "float32"
        self._values = np.random.default_rng(0).uniform(0, 1, (8 * BATCH, *shape)).astype(self.dtype)

    def prepare(self, rows: NDArray[np.int64], view: int | None) -> None:
        """Nothing to prepare."""

    def take(self, rows: NDArray[np.int64], view: int | None) -> NDArray[Any]:
        """The inputs of rows."""
        return self._values[rows]
