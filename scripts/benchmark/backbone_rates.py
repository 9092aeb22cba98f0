"""What each backbone costs on this machine: images a second of its frozen part at each depth, and an epoch of fine-tuning."""

import statistics
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import BackboneConfig, Config, FreezeConfig
from cxr.system import cores, prepare_memory
from cxr.training.runtime import prepare_tensorflow

DEPTHS = ("head", "last_block", "last_stage", "half")


@dataclass(frozen=True)
class BackboneRates:
    """Of one backbone with random weights, at its usual image size; medians."""

    name: str
    size: int
    frozen: dict[str, float]  # depth: images a second, without augmentation
    epoch: float  # seconds an image to fine-tune the last stage above kept activations


def backbone_rates(count: int, repeats: int, only: str) -> list[BackboneRates]:
    """Measure every backbone with `only` in its name on `count` random images."""
    prepare_memory()
    prepare_tensorflow(Config().training)
    from cxr.model.backbones.registry import backbone_names, backbone_of

    known = {name: backbone_of(name) for name in backbone_names() if only in name}
    return [_rates_of(name, backbone.usual, count, repeats) for name, backbone in known.items() if backbone and not backbone.layers]


def _rates_of(name: str, size: int, count: int, repeats: int) -> BackboneRates:
    from cxr.model.freeze import apply_freeze, first_layer
    from cxr.model.network import build_network
    from cxr.model.partition import partition
    from cxr.model.weights import Weights
    from cxr.training.engine import batch_of, choose_engine, make_engine

    network = build_network(BackboneConfig(name=name, image_size=size, weights="none"), 3, Weights())
    engine_name = choose_engine(Config().engine, "float32")
    batch = batch_of(engine_name)
    grey = np.random.default_rng(0).uniform(0, 255, (-(-count // batch), batch, size, size, 1)).astype(np.float32)
    frozen, parts_at, activations = {}, {}, {}
    for depth in DEPTHS:
        parts = partition(network, first_layer(depth, network.described))
        assert parts is not None
        engine = make_engine(engine_name, parts.frozen, "float32", cores())
        list(engine(grey[:1]))
        taken = []
        for _ in range(repeats):
            started = time.perf_counter()
            activations[depth] = np.concatenate(list(engine(grey)))
            taken.append(time.perf_counter() - started)
        frozen[depth], parts_at[depth] = len(activations[depth]) / statistics.median(taken), parts
    first = first_layer("last_stage", network.described)
    apply_freeze(network.trainee.operations, network.architecture, first, FreezeConfig())
    epoch = _epoch(parts_at["last_stage"].trainable, activations["last_stage"], repeats)
    return BackboneRates(name, size, frozen, epoch)


def _epoch(trainable: Any, activations: NDArray[np.float32], repeats: int) -> float:
    """Seconds an image of one epoch, which Keras trains."""
    import keras

    trainable.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True), jit_compile=False)
    targets = np.eye(3, dtype=np.float32)[np.arange(len(activations)) % 3]
    times = []
    for _ in range(repeats + 1):  # the first one compiles
        started = time.perf_counter()
        trainable.fit(activations, targets, batch_size=16, verbose=0)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:]) / len(activations)
