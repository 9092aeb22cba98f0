"""MobileNetV2: the default, small and fast on a CPU."""

from collections.abc import Iterator
from dataclasses import replace
from math import prod

from cxr.model.architecture import Architecture, Shape
from cxr.model.backbone import Backbone, Published, block_by, numbered

# Sandler et al. 2018, table 2: expansion, channels, repeats of each stage of inverted residual blocks.
_STAGES = ((1, 16, 1), (6, 24, 2), (6, 32, 3), (6, 64, 4), (6, 96, 3), (6, 160, 3), (6, 320, 1))


def widened(architecture: Architecture, alpha: float) -> Architecture:
    """The layers with channels multiplied by `alpha`.

    Source:
        Sandler et al. 2018, section 4.
    """
    shapes = _weight_shapes(alpha)
    layers = []
    for layer in architecture.layers:
        weights = tuple(next(shapes) for _ in layer.weights)
        cost = layer.multiply_adds
        if cost:  # of a convolution, in proportion to its kernel
            cost = cost * prod(weights[0]) // prod(layer.weights[0])
        layers.append(replace(layer, weights=weights, multiply_adds=cost))
    return Architecture(tuple(layers))


def _weight_shapes(alpha: float) -> Iterator[Shape]:
    channels = _rounded(32 * alpha)
    yield (3, 3, 3, channels)
    yield from _batch_norm(channels)
    first = True
    for expansion, width, repeats in _STAGES:
        for _ in range(repeats):
            inner = channels * expansion
            if not first:  # the very first block does not expand
                yield (1, 1, channels, inner)
                yield from _batch_norm(inner)
            first = False
            yield (3, 3, inner, 1)
            yield from _batch_norm(inner)
            out = _rounded(int(width * alpha))
            yield (1, 1, inner, out)
            yield from _batch_norm(out)
            channels = out
    top = _rounded(1280 * alpha) if alpha > 1 else 1280
    yield (1, 1, channels, top)
    yield from _batch_norm(top)


def _batch_norm(channels: int) -> Iterator[Shape]:
    yield from [(channels,)] * 4


def _rounded(channels: float) -> int:
    """The nearest multiple of 8 that is no more than a tenth below, as in the authors' and Keras' code."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


BACKBONE = Backbone(
    title="MobileNetV2 (Sandler et al. 2018)",
    application="keras.applications.MobileNetV2",
    block_of=block_by(r"(?:bn_)?(Conv1|expanded_conv|block_\d+|Conv_1)(?:_|$)"),
    stem="Conv1",
    stages=(("expanded_conv",), *(numbered("block_{}", *ends) for ends in ((1, 2), (3, 5), (6, 12), (13, 16)))),
    top=("Conv_1",),
    published=Published("mobilenet_v2", "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_224_no_top.h5"),
    widths=(0.35, 0.5, 0.75, 1.0, 1.3, 1.4),  # what Keras publishes ImageNet weights for
    widened=widened,
)
