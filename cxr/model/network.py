"""The network: preprocessing, backbone and head in one flat graph, from raw grey levels to class probabilities."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from cxr.config.schema import BackboneConfig, PrepareConfig
from cxr.model.architecture import Architecture
from cxr.model.backbones.keras_file import file_sha256
from cxr.model.backbones.registry import Described, describe
from cxr.model.construction import architecture_of, check_constructed, construct
from cxr.model.resolve import pixels_of
from cxr.model.weights import Weights


@dataclass(frozen=True)
class Network:
    """Two views of the same layers, which share every weight.

    Both take float32 (n, image_size, image_size, 3) with values 0..255. `classifier` ends in probabilities (n, classes) and
    is what is saved; `trainee` ends in logits (n, classes), for a loss that is exact where probabilities round to 0 or 1.
    """

    classifier: keras.Model
    trainee: keras.Model
    described: Described  # the backbone
    built_from: tuple[object, ...] = ()  # all that makes its layers what they are, without the values of their weights

    @cached_property
    def architecture(self) -> Architecture:
        """The steps of `trainee` from the images to logits; those of the backbone are named as in `described`."""
        return architecture_of(self.trainee)

    @property
    def kind(self) -> tuple[object, ...]:
        """The same for networks of which only the values of weights differ."""
        layers = self.classifier.layers
        return (*self.built_from, *((layer.trainable, getattr(layer, "momentum", None)) for layer in layers))


def build_network(
    backbone: BackboneConfig, class_count: int, weights: Weights, seed: int = 0, prepare: PrepareConfig | None = None
) -> Network:
    """A backbone with a dropout and a dense layer on its pooled features.

    What prepares images and the scaling of grey levels come first, so that a saved model can't be fed other ones. The head
    begins as `seed` says. A process builds a backbone once: the next network of the same backbone and weights takes over its
    layers, with their initial weights, and the earlier network must no longer be used.
    """
    described = describe(backbone)
    images, pooled, kind = _backbone(backbone, described, weights, prepare)
    kept = keras.layers.Dropout(backbone.dropout, seed=seed, name="dropout")(pooled)
    start = keras.initializers.GlorotUniform(seed)
    logits = keras.layers.Dense(class_count, kernel_initializer=start, dtype="float32", name="logits")(kept)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    classifier, trainee = keras.Model(images, probabilities, name="cxr"), keras.Model(images, logits, name="trainee")
    return Network(classifier, trainee, described, (*kind, class_count, seed, backbone.dropout))


@dataclass(frozen=True)
class _Backbone:
    """A backbone with pooling, and the values that its weights began with."""

    model: keras.Model
    values: list[NDArray[Any]]


_latest: dict[tuple[object, ...], _Backbone] = {}  # one at a time


def _backbone(
    backbone: BackboneConfig, described: Described, weights: Weights, prepare: PrepareConfig | None
) -> tuple[Any, Any, tuple[object, ...]]:
    """Grey levels (n, size, size, 3) and pooled features (n, channels), as symbolic tensors, and what they are made of."""
    pixels = pixels_of(backbone, described.backbone)
    file = None if backbone.file is None else file_sha256(backbone)
    kind = (backbone.name, backbone.file, file, backbone.alpha, backbone.image_size, pixels, repr(prepare))
    key = (*kind, weights, weights.sha256, keras.config.dtype_policy().name)
    known = _latest.get(key) if weights != Weights() else None  # random weights are drawn again
    if known is None:
        made = construct(
            described.backbone,
            backbone.image_size,
            pixels,
            weights.for_keras,
            _archive(backbone, weights),
            backbone.alpha,
            prepare,
        )
        check_constructed(made, described.architecture)
        model = keras.Model(made.input, keras.layers.GlobalAveragePooling2D(name="pooled")(made.output))
        known = _Backbone(model, [weight.value.numpy() for weight in model.weights])
        _latest.clear()
        _latest[key] = known
    else:
        known.model.set_weights(known.values)
    return known.model.input, known.model.output, key


def _archive(backbone: BackboneConfig, weights: Weights) -> Path | None:
    """The `.keras` file to take weights from; those of `backbone=keras_file` come with its network."""
    return None if backbone.weights == "own" else weights.archive
