"""The speed of an update of a part of the backbone: by Keras' own layers, and with batch norms fused into convolutions."""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch_update import TorchUpdates

from cxr.config.schema import BackboneConfig, Config, FreezeConfig
from cxr.system import cores, prepare_memory
from cxr.training.runtime import prepare_tensorflow

_BATCH, _UPDATES = 32, 8  # images of an update; updates of a measurement


def _called(part: Any) -> Callable[[Any, bool], Any]:
    return lambda batch, training: part(batch, training=training)


def _on(step: Callable[[Any, Any], Any], values: Any, targets: Any) -> Callable[[], float | None]:
    """Some updates, as a function that returns how many seconds they took."""

    def seconds() -> float:
        started = time.perf_counter()
        for _ in range(_UPDATES):
            loss = step(values, targets)
        loss.numpy()
        return time.perf_counter() - started

    return seconds


@dataclass(frozen=True)
class UpdateRates:
    """Images a second at one depth, medians, and how many times as fast the fused part is in each pair."""

    depth: str
    by_keras: float
    fused: float
    ratios: list[float]
    by_torch: float | None  # None where PyTorch is not installed


def update_rates(repeats: int) -> Iterator[UpdateRates]:
    """Measure MobileNetV2 at 224 pixels with random weights on random activations, both ways in turn."""
    prepare_memory()
    prepare_tensorflow(Config().training)
    import tensorflow as tf

    from cxr.model.freeze import apply_freeze, first_layer
    from cxr.model.fused_batch_norm import fuse_batch_norms
    from cxr.model.network import build_network
    from cxr.model.optimizer import make_optimizer, rate_shares
    from cxr.model.partition import partition
    from cxr.model.weights import Weights

    for depth in ("last_stage", "half"):
        config = Config(
            backbone=BackboneConfig(name="mobilenet_v2", image_size=224),
            freeze=FreezeConfig(trainable_from=depth, batch_norm="inference"),
        )
        network = build_network(config.backbone, 3, Weights())
        first = first_layer(depth, network.described)
        apply_freeze(network.trainee.operations, network.architecture, first, config.freeze)
        parts = partition(network, first)
        assert parts is not None
        part, variables = parts.trainable, network.trainee.trainable_variables
        optimizer = make_optimizer(config, variables, rate_shares(config, network), 1)
        values = np.random.default_rng(0).normal(size=(_BATCH, *part.input.shape[1:])).astype(np.float32)
        targets = np.eye(3, dtype=np.float32)[np.arange(_BATCH) % 3]

        def step_of(
            forward: Callable[[Any, bool], Any], variables: Any = variables, optimizer: Any = optimizer
        ) -> Callable[[Any, Any], Any]:
            def update(batch: Any, target: Any) -> Any:
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, forward(batch, True)))
                optimizer.apply(tape.gradient(loss, [each.value for each in variables]), variables)
                return loss

            made: Callable[[Any, Any], Any] = tf.function(update, autograph=False)
            return made

        plain, fused = step_of(_called(part)), step_of(fuse_batch_norms(part))
        by_torch = TorchUpdates(depth, _BATCH, _UPDATES, cores())
        ways = {"plain": _on(plain, values, targets), "fused": _on(fused, values, targets), "torch": by_torch.seconds}
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for repeat in range(repeats + 1):
            for name, way in ways.items():
                seconds = way()
                if repeat and seconds is not None:  # the first traces
                    rates[name].append(_BATCH * _UPDATES / seconds)
        by_torch.end()
        ratios = [ours / theirs for ours, theirs in zip(rates["fused"], rates["plain"], strict=True)]
        medians = {name: statistics.median(each) for name, each in rates.items() if each}
        yield UpdateRates(depth, medians["plain"], medians["fused"], ratios, medians.get("torch"))
