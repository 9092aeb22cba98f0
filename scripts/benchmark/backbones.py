"""What each backbone costs on this machine: images a second of its frozen part at each depth, and an epoch of fine-tuning."""

import statistics
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
from measure import Options, add_row, seconds_of, table
from numpy.typing import NDArray
from rich.table import Table

from cxr.config.schema import BackboneConfig, Config, FreezeConfig
from cxr.system import cores, prepare_memory
from cxr.training.runtime import prepare_tensorflow

DEPTHS = ("head", "last_block", "last_stage", "half")


def answer(options: Options) -> Iterator[Table]:
    """Every backbone with `--only` in its name, with random weights at its usual image size."""
    prepare_memory()
    prepare_tensorflow(Config().training)
    from cxr.model.backbones.registry import backbone_names, backbone_of

    title = f"Backbones on {cores()} cores: images/s of the frozen part at each depth, and fine-tuning of last_stage"
    result = table(title, "size", *DEPTHS, "epoch of 1,000 images, s")
    for name in backbone_names():
        backbone = backbone_of(name)
        if options.args.only in name and backbone and not backbone.layers:
            rates, epoch = _measure(name, backbone.usual, options.args.phantoms, options.args.repeats)
            add_row(result, name, str(backbone.usual), *(f"{rates[depth]:.1f}" for depth in DEPTHS), f"{1000 * epoch:.0f}")
    yield result


def _measure(name: str, size: int, count: int, repeats: int) -> tuple[dict[str, float], float]:
    """Images a second at each depth without augmentation, and seconds an image to fine-tune above kept activations; medians."""
    from cxr.model.freeze import apply_freeze, first_layer
    from cxr.model.network import build_network
    from cxr.model.partition import partition
    from cxr.model.weights import Weights
    from cxr.training.engine import batch_of, choose_engine, make_engine

    network = build_network(BackboneConfig(name=name, image_size=size, weights="none"), 3, Weights())
    engine_name = choose_engine(Config().engine, "float32")
    batch = batch_of(engine_name)
    grey = np.random.default_rng(0).uniform(0, 255, (-(-count // batch), batch, size, size, 1)).astype(np.float32)
    rates, parts_at, activations = {}, {}, {}
    for depth in DEPTHS:
        parts = partition(network, first_layer(depth, network.described))
        assert parts is not None
        engine = make_engine(engine_name, parts.frozen, "float32", cores())
        activations[depth] = np.concatenate(list(engine(grey)))
        taken = [seconds_of(partial(_drain, engine, grey)) for _ in range(repeats)]
        rates[depth], parts_at[depth] = len(activations[depth]) / statistics.median(taken), parts
    first = first_layer("last_stage", network.described)
    apply_freeze(network.trainee.operations, network.architecture, first, FreezeConfig())
    return rates, _epoch(parts_at["last_stage"].trainable, activations["last_stage"], repeats)


def _drain(engine: Callable[[NDArray[np.float32]], Iterable[Any]], batches: NDArray[np.float32]) -> None:
    for _ in engine(batches):
        pass


def _epoch(trainable: Any, activations: NDArray[np.float32], repeats: int) -> float:
    """Seconds an image of one epoch, which Keras trains."""
    import keras

    trainable.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=False)
    targets = np.eye(3, dtype=np.float32)[np.arange(len(activations)) % 3]
    times = [seconds_of(lambda: trainable.fit(activations, targets, batch_size=16, verbose=0)) for _ in range(repeats + 1)]
    return statistics.median(times[1:]) / len(activations)  # the first one compiles
