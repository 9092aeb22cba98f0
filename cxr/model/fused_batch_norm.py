"""A network whose batch norms with stored statistics are fused into the convolutions below them, for training and use.

y = s (w * x) + (b - m s) with s = g / sqrt(v + e) is one convolution with kernel s w (Jacob et al., "Quantization and Training of
Neural Networks", 2018, section 3.2, where the statistics are fixed). TensorFlow fuses its shift and the ReLU above it into the
convolution; gradients reach the kernel w through the product, so the same weights train.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from cxr.model.keras_private import run_steps, sources_of, takes_training

Forward = Callable[[tf.Tensor, bool], tf.Tensor]


def fuse_batch_norms(network: keras.Model) -> Forward:
    """`network(values, training=...)` to rounding, as a function of both; call it where TensorFlow traces.

    Batch norms that train stay as they are: they normalise by the statistics of each batch.
    """
    fused = _fusible(network)
    norms = {id(norm) for norm in fused.values()}

    def forward(values: tf.Tensor, training: bool) -> tf.Tensor:
        def function_of(step: Any) -> Callable[..., Any]:
            if id(step) in fused:
                return lambda inputs, **_: _convolved(step, fused[id(step)], inputs)
            if id(step) in norms:
                return lambda inputs, **_: inputs
            more = {"training": training} if takes_training(step) else {}
            return lambda *inputs, **options: step(*inputs, **(options | more))

        return run_steps(network, values, function_of)

    return forward


def _fusible(network: keras.Model) -> dict[int, Any]:
    """The batch norm that is fused into each convolution: its only user; by the convolution's identity."""
    users: dict[int, dict[int, Any]] = {}
    for step in network.operations:
        for source in sources_of(step):
            users.setdefault(id(source), {})[id(step)] = step
    fused = {}
    for convolution in filter(_can_be_fused, network.operations):
        above = list(users.get(id(convolution), {}).values())
        norm = above[0] if len(above) == 1 else None
        if isinstance(norm, keras.layers.BatchNormalization) and not norm.trainable and norm.axis in (-1, 3):
            fused[id(convolution)] = norm
    return fused


def _can_be_fused(step: Any) -> bool:
    """A convolution without activation, in one precision, and in the layout that TensorFlow's kernels for a CPU have."""
    return (
        isinstance(step, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
        and type(step).__name__ in ("Conv2D", "DepthwiseConv2D")
        and step.activation is keras.activations.linear
        and step.data_format == "channels_last"
        and step.dilation_rate == (1, 1)
        and getattr(step, "groups", 1) == 1
        and step.padding in ("same", "valid")
        and step.compute_dtype == step.variable_dtype == "float32"
    )


def _convolved(convolution: Any, norm: Any, values: tf.Tensor) -> tf.Tensor:
    scale = tf.math.rsqrt(norm.moving_variance.value + norm.epsilon)
    if norm.scale:
        scale *= norm.gamma.value
    shift = -norm.moving_mean.value * scale
    if norm.center:
        shift += norm.beta.value
    if convolution.use_bias:
        shift += convolution.bias.value * scale
    strides, padding = convolution.strides, convolution.padding.upper()
    kernel = convolution.kernel.value
    if isinstance(convolution, keras.layers.DepthwiseConv2D):
        kernel = kernel * tf.reshape(scale, (kernel.shape[2], kernel.shape[3]))
        convolved = tf.nn.depthwise_conv2d(values, kernel, (1, *strides, 1), padding)
    else:
        convolved = tf.nn.conv2d(values, kernel * scale, strides, padding)
    return tf.nn.bias_add(convolved, shift)
