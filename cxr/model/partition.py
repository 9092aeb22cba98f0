"""The partition of a network into its frozen and its trainable part, which share all weights with the whole."""

import hashlib
from dataclasses import dataclass

import keras
import numpy as np

from cxr.model.freeze import POOLED
from cxr.model.network import Network


@dataclass(frozen=True)
class Partition:
    """A network in two: grey levels (n, size, size, 3) to activations, and activations to logits (n, classes).

    Pooling has no weights, so under a head that trains alone the activations are pooled vectors.
    """

    boundary: str  # the last layer below
    frozen: keras.Model
    trainable: keras.Model


def partition(network: Network, first: str) -> Partition | None:
    """Partition a network below the layer from which it trains; None if no layer with weights is below it.

    One tensor crosses there (see `first_layer`), so the boundary is one array for each image.

    Raises:
        ValueError: Several tensors cross there.
    """
    architecture, trainee = network.architecture, network.trainee
    place = architecture.places[first]
    top = place if first == POOLED else place - 1
    if not any(layer.weights for layer in architecture.layers[: top + 1]):
        return None
    if top not in architecture.cuts:
        raise ValueError(f"more than one tensor crosses below {first}")
    crossing = trainee.operations[top].output
    return Partition(architecture.layers[top].name, keras.Model(trainee.input, crossing), keras.Model(crossing, trainee.output))


def pooled_part(trainee: keras.Model, parts: Partition | None) -> keras.Model | None:
    """From activations, or grey levels without a partition, to pooled features; None where the activations are those."""
    pooled = trainee.get_layer(POOLED).output
    below = parts.frozen.output if parts else trainee.input
    return None if below is pooled else keras.Model(below, pooled)


def weights_hash(model: keras.Model) -> str:
    """Hash of every weight's value, sha256 in hex."""
    digest = hashlib.sha256()
    for weight in model.weights:
        digest.update(np.ascontiguousarray(weight.value.numpy()).data)
    return digest.hexdigest()
