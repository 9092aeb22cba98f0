"""The network: preprocessing, backbone and head in one flat graph, from raw grey levels to class probabilities."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
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
        return (*self.built_from, *self.freedom)

    @property
    def freedom(self) -> tuple[object, ...]:
        """Which layers train, and the momentum of those that normalise."""
        return tuple(tuple(_settings_of(layer).values()) for layer in self.classifier.layers)


def build_network(
    backbone: BackboneConfig, class_count: int, weights: Weights, seed: int = 0, prepare: PrepareConfig | None = None
) -> Network:
    """A backbone with a dropout and a dense layer on its pooled features.

    What prepares images and the scaling of grey levels come first, so that a saved model can't be fed other ones. The head
    begins as `seed` says. A process builds a network once: the next one of the same backbone, weights and classes takes over its
    layers, with their initial weights, and the earlier network must no longer be used.
    """
    described = describe(backbone)
    base, kind = _backbone(backbone, described, weights, prepare)
    models = base.under_heads.get((class_count, backbone.dropout))
    if models is None:
        models = base.under_heads[class_count, backbone.dropout] = _with_head(base.model, class_count, backbone.dropout, seed)
    else:
        _begin_head(models[1], seed)
    return Network(*models, described, (*kind, class_count, seed, backbone.dropout))


def _with_head(base: keras.Model, class_count: int, dropout: float, seed: int) -> tuple[keras.Model, keras.Model]:
    """The classifier and the trainee on a backbone."""
    kept = keras.layers.Dropout(dropout, seed=seed, name="dropout")(base.output)
    start = keras.initializers.GlorotUniform(seed)
    logits = keras.layers.Dense(class_count, kernel_initializer=start, dtype="float32", name="logits")(kept)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    return keras.Model(base.input, probabilities, name="cxr"), keras.Model(base.input, logits, name="trainee")


def _begin_head(trainee: keras.Model, seed: int) -> None:
    """Give a head the values and the random state that a new one of this seed has."""
    dropout, logits = trainee.get_layer("dropout"), trainee.get_layer("logits")
    logits.kernel_initializer = keras.initializers.GlorotUniform(seed)
    logits.kernel.assign(logits.kernel_initializer(logits.kernel.shape, logits.kernel.dtype))
    logits.bias.assign(np.zeros(logits.bias.shape))
    dropout.seed = seed
    if dropout.rate > 0:  # else it has no random state
        dropout.seed_generator.state.assign(keras.random.SeedGenerator(seed).state)


class _Backbone:
    """A backbone with pooling, how it was built, and the models made of it, by classes and dropout."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._values: list[NDArray[Any]] = [weight.value.numpy() for weight in model.weights]
        self._settings = [_settings_of(layer) for layer in model.layers]
        self.under_heads: dict[tuple[int, float], tuple[keras.Model, keras.Model]] = {}

    def reset(self) -> None:
        """Undo all that a job writes into layers: values of weights, what trains, and momentum."""
        self.model.set_weights(self._values)
        for layer, settings in zip(self.model.layers, self._settings, strict=True):
            for name, value in settings.items():
                setattr(layer, name, value)


def _settings_of(layer: keras.Layer) -> dict[str, Any]:
    """The attributes of a layer that `apply_freeze` writes."""
    return {name: getattr(layer, name) for name in ("trainable", "momentum") if hasattr(layer, name)}


_latest: dict[tuple[object, ...], _Backbone] = {}  # one at a time


def _backbone(
    backbone: BackboneConfig, described: Described, weights: Weights, prepare: PrepareConfig | None
) -> tuple[_Backbone, tuple[object, ...]]:
    """A backbone from grey levels (n, size, size, 3) to pooled features (n, channels), and what it is made of."""
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
        known = _Backbone(keras.Model(made.input, keras.layers.GlobalAveragePooling2D(name="pooled")(made.output)))
        _latest.clear()
        _latest[key] = known
    else:
        known.reset()
    return known, key


def _archive(backbone: BackboneConfig, weights: Weights) -> Path | None:
    """The `.keras` file to take weights from; those of `backbone=keras_file` come with its network."""
    return None if backbone.weights == "own" else weights.archive
