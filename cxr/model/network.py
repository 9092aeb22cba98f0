"""The network: preprocessing, backbone and head in one flat graph, from raw grey levels to class probabilities."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import BackboneConfig, PrepareConfig
from cxr.model.architecture import Architecture
from cxr.model.backbones.keras_file import file_sha256
from cxr.model.backbones.registry import Described, describe
from cxr.model.construction import architecture_of, check_constructed, construct
from cxr.model.freeze import POOLED
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

    @cached_property
    def architecture(self) -> Architecture:
        """The steps of `trainee` from the images to logits; those of the backbone are named as in `described`."""
        return architecture_of(self.trainee)

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
    base = _backbone(backbone, described, weights, prepare)
    models = base.under_heads.get((class_count, backbone.dropout))
    if models is None:
        models = base.under_heads[class_count, backbone.dropout] = _with_head(base.model, class_count, backbone.dropout, seed)
    else:
        _begin_head(models[1], seed)
    return Network(*models, described)


def _with_head(base: keras.Model, class_count: int, dropout: float, seed: int) -> tuple[keras.Model, keras.Model]:
    """The classifier and the trainee on a backbone."""
    dropped = keras.layers.Dropout(dropout, seed=seed, name="dropout")(base.output)
    start = keras.initializers.GlorotUniform(seed)
    logits = keras.layers.Dense(class_count, kernel_initializer=start, dtype="float32", name="logits")(dropped)
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


def _backbone(backbone: BackboneConfig, described: Described, weights: Weights, prepare: PrepareConfig | None) -> _Backbone:
    """A backbone from grey levels (n, size, size, 3) to pooled features (n, channels)."""
    pixels, size, file = pixels_of(backbone, described.backbone), backbone.image_size, file_sha256(backbone)
    made_of = (backbone.name, backbone.file, file, backbone.alpha, size, pixels, repr(prepare))
    key = (*made_of, weights, weights.sha256, keras.config.dtype_policy().name)
    known = _latest.get(key) if weights != Weights() else None  # random weights are drawn again
    if known is not None:
        known.reset()
        return known
    path = None if backbone.weights == "own" else weights.path  # its own weights come with the network of a file
    model = construct(described.backbone, size, pixels, path, backbone.alpha, prepare)
    check_constructed(model, described.architecture)
    built = _Backbone(keras.Model(model.input, keras.layers.GlobalAveragePooling2D(name=POOLED)(model.output)))
    _latest.clear()
    _latest[key] = built
    return built
