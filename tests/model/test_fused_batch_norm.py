"""Batch norms fused into convolutions: the same outputs and gradients as Keras' own layers, to rounding."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cxr.config.schema import BackboneConfig, FreezeConfig
from cxr.model.freeze import apply_freeze, first_layer
from cxr.model.fused_batch_norm import fuse_batch_norms
from cxr.model.network import build_network
from cxr.model.partition import partition
from cxr.model.weights import Weights


def trainable_part(backbone: str, batch_norm: str = "inference") -> keras.Model:
    """The upper half with a head, whose statistics and scales are not those of a new network."""
    network = build_network(BackboneConfig(name=backbone, image_size=64, dropout=0.0), 3, Weights(), seed=0)
    first = first_layer("half", network.described)
    freeze = FreezeConfig(trainable_from="half", batch_norm=batch_norm)
    apply_freeze(network.trainee.operations, network.architecture, first, freeze)
    parts = partition(network, first)
    assert parts is not None
    rng = np.random.default_rng(0)
    for layer in parts.trainable.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([rng.uniform(0.5, 1.5, value.shape) for value in layer.get_weights()])
    return parts.trainable


@pytest.mark.parametrize("backbone", ["mobilenet_v2", pytest.param("densenet121", marks=pytest.mark.slow)])
def test_outputs_and_gradients_are_those_of_keras(backbone: str) -> None:
    part = trainable_part(backbone)
    values = tf.constant(np.random.default_rng(1).normal(size=(4, *part.input.shape[1:])), tf.float32)
    weights = [variable.value for variable in part.trainable_variables]
    results = []
    for forward in (lambda inputs, training: part(inputs, training=training), fuse_batch_norms(part)):
        with tf.GradientTape() as tape:
            logits = forward(values, True)
            loss = tf.reduce_mean(logits**2)
        results.append((logits, tape.gradient(loss, weights)))
    (by_keras, expected), (by_us, gradients) = results
    np.testing.assert_allclose(by_us, by_keras, rtol=1e-4, atol=1e-4 * np.abs(by_keras).max())
    for ours, theirs in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * max(float(np.abs(theirs).max()), 1e-6))


def test_batch_norms_that_train_are_not_fused() -> None:
    """What TensorFlow traces has no normalisation left, unless it trains."""

    def kinds(batch_norm: str) -> set[str]:
        part = trainable_part("mobilenet_v2", batch_norm)
        forward, images = fuse_batch_norms(part), tf.TensorSpec((2, *part.input.shape[1:]), tf.float32)
        traced = tf.function(lambda values: forward(values, True), autograph=False).get_concrete_function(images)
        return {operation.name for operation in traced.graph.get_operations() if "batchnorm" in operation.name.lower()}

    assert not kinds("inference")
    assert kinds("train")
