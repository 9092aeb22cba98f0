"""The speed of an update of a part of the backbone: by Keras' own layers, and with batch norms fused into convolutions."""

import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from measure import GFLOP_AN_IMAGE, Options, add_row, seconds_of, spread, table
from rich.table import Table

from cxr.config.schema import BackboneConfig, Config, FreezeConfig
from cxr.system import cores, prepare_memory
from cxr.training.runtime import prepare_tensorflow

_BATCH, _UPDATES = 32, 8  # images of an update; updates of a measurement
_TRAINED = {"last_stage": 0.299, "half": 0.562}  # shares of the arithmetic, as `cxr backbones mobilenet_v2` prints them


def answer(options: Options) -> Iterator[Table]:
    """Images a second of both ways; arithmetic is forward and back, and weights' own gradients."""
    repeats = options.args.repeats
    title = f"Updates of 32 images at 224 px on {cores()} cores, images/s, medians of {repeats}"
    result = table(title, "Keras' layers", "fused", "ratio", "limit by matrix products")
    prepare_memory()
    prepare_tensorflow(Config().training)
    for depth, share in _TRAINED.items():
        plain, fused = _rates(depth, repeats)
        ratio = spread([ours / theirs for ours, theirs in zip(fused, plain, strict=True)], "x", 2)
        limit = options.matrix_rate / (3 * share * GFLOP_AN_IMAGE)
        add_row(result, depth, f"{statistics.median(plain):.0f}", f"{statistics.median(fused):.0f}", ratio, f"{limit:.0f}")
    yield result


def _rates(depth: str, repeats: int) -> tuple[list[float], list[float]]:
    """Images a second of MobileNetV2 with random weights on random activations, both ways in turn."""
    import tensorflow as tf

    from cxr.model.freeze import apply_freeze, first_layer
    from cxr.model.fused_batch_norm import fuse_batch_norms
    from cxr.model.network import build_network
    from cxr.model.optimizer import make_optimizer, rate_shares
    from cxr.model.partition import partition
    from cxr.model.weights import Weights

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

    def step_of(forward: Callable[[Any, bool], Any]) -> Callable[[], None]:
        @tf.function(autograph=False)  # type: ignore[untyped-decorator]
        def update(batch: Any, target: Any) -> Any:
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(target, forward(batch, True)))
            optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
            return loss

        return lambda: [update(values, targets) for _ in range(_UPDATES)][-1].numpy()

    plain = step_of(lambda batch, training: part(batch, training=training))
    ways = (plain, step_of(fuse_batch_norms(part)))
    seconds = [[seconds_of(way) for way in ways] for _ in range(repeats + 1)][1:]  # the first traces
    by_keras, fused = ([_BATCH * _UPDATES / pair[side] for pair in seconds] for side in (0, 1))
    return by_keras, fused
