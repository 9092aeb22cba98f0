"""The partition of a network into its frozen and its trainable part, which share all weights with the whole."""

import hashlib
from dataclasses import dataclass

import keras
import numpy as np

from cxr.model.freeze import HEAD, block_of, is_trainable


@dataclass(frozen=True)
class Partition:
    """A network in two: grey levels (n, size, size, 3) to activations, and activations to logits (n, classes).

    Pooling has no weights, so under a head that trains alone the activations are pooled vectors.
    """

    boundary: str  # the last layer below
    frozen: keras.Model
    trainable: keras.Model


def partition(trainee: keras.Model, trainable_from: str) -> Partition | None:
    """Partition a flat network below the block from which it trains; None if no layer with weights is below it.

    A block of MobileNetV2 hands on one tensor, so the boundary is one array for each image.
    """
    frozen = [layer for layer in trainee.layers if layer.name == "pooled" or not is_trainable(layer.name, trainable_from)]
    if trainable_from != HEAD:
        frozen = [layer for layer in frozen if block_of(layer.name) != HEAD]
    if not any(layer.weights for layer in frozen):
        return None
    top = frozen[-1]
    return Partition(top.name, keras.Model(trainee.input, top.output), keras.Model(top.output, trainee.output))


def pooled_part(trainee: keras.Model, parts: Partition | None) -> keras.Model | None:
    """From activations, or grey levels without a partition, to pooled features; None where the activations are those."""
    pooled = trainee.get_layer("pooled").output
    below = parts.frozen.output if parts else trainee.input
    return None if below is pooled else keras.Model(below, pooled)


def weights_hash(model: keras.Model) -> str:
    """Hash of every weight's value, sha256 in hex."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight.value.numpy()).data)
    return digest.hexdigest()
