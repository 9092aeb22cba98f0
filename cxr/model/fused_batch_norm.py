"""A network whose batch norms with stored statistics are fused into the convolutions below them, for training and use.

y = s (w * x) + (b - m s) with s = g / sqrt(v + e) is one convolution with kernel s w (Jacob et al., "Quantization and Training of
Neural Networks", 2018, section 3.2, where the statistics are fixed). TensorFlow fuses its shift and the ReLU above it into the
convolution; gradients reach the kernel w through the product, so the same weights train.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

Forward = Callable[[tf.Tensor, bool], tf.Tensor]


def fuse_batch_norms(network: keras.Model) -> Forward:
    """`network(values, training=...)` to rounding, as a function of both; call it where TensorFlow traces.

    Layers that normalise by the statistics of each batch stay as they are: those that train.
    """
    above = _folds(network)
    held = {id(norm) for norm in above.values()}

    def forward(values: tf.Tensor, training: bool) -> tf.Tensor:
        def operation(step: Any) -> Callable[..., Any]:
            if id(step) in above:
                return lambda given, **_: _convolved(step, above[id(step)], given)
            if id(step) in held:
                return lambda given, **_: given
            takes_training = getattr(step, "_call_has_training_arg", False)
            return lambda *given, **more: step(*given, **(more | ({"training": training} if takes_training else {})))

        (found,) = keras.tree.flatten(network._run_through_graph([values], operation_fn=operation))
        return found

    return forward


def _folds(network: keras.Model) -> dict[int, Any]:
    """The normalisation above each convolution that takes it in, by the convolution's identity."""
    steps = {id(step): step for step in network.operations}
    users: dict[int, set[int]] = {}
    for step in network.operations:
        for node in step._inbound_nodes:
            for tensor in node.input_tensors:
                users.setdefault(id(tensor._keras_history.operation), set()).add(id(step))
    found = {}
    for convolution in filter(_can_take_in, network.operations):
        inside = [steps[user] for user in users.get(id(convolution), ()) if user in steps]
        if len(inside) == 1 and _is_fixed(inside[0]):
            found[id(convolution)] = inside[0]
    return found


def _can_take_in(step: Any) -> bool:
    """A convolution without activation, in one precision, and in the layout that TensorFlow's kernels for a CPU have."""
    return (
        isinstance(step, keras.layers.Conv2D | keras.layers.DepthwiseConv2D)
        and type(step).__name__ in ("Conv2D", "DepthwiseConv2D")
        and step.activation is keras.activations.linear
        and step.data_format == "channels_last"
        and _pair(step.dilation_rate) == (1, 1)
        and getattr(step, "groups", 1) == 1
        and step.padding in ("same", "valid")
        and step.compute_dtype == step.variable_dtype == "float32"
    )


def _is_fixed(step: Any) -> bool:
    return isinstance(step, keras.layers.BatchNormalization) and not step.trainable and step.axis in (-1, 3)


def _pair(value: Any) -> tuple[int, int]:
    rows, columns = (value, value) if isinstance(value, int) else value
    return rows, columns


def _convolved(convolution: Any, norm: Any, values: tf.Tensor) -> tf.Tensor:
    scale = tf.math.rsqrt(norm.moving_variance.value + norm.epsilon)
    if norm.scale:
        scale *= norm.gamma.value
    shift = -norm.moving_mean.value * scale
    if norm.center:
        shift += norm.beta.value
    if convolution.use_bias:
        shift += convolution.bias.value * scale
    strides, padding = _pair(convolution.strides), convolution.padding.upper()
    kernel = convolution.kernel.value
    if isinstance(convolution, keras.layers.DepthwiseConv2D):
        kernel = kernel * tf.reshape(scale, (kernel.shape[2], kernel.shape[3]))
        found = tf.nn.depthwise_conv2d(values, kernel, (1, *strides, 1), padding)
    else:
        found = tf.nn.conv2d(values, kernel * scale, strides, padding)
    return tf.nn.bias_add(found, shift)
