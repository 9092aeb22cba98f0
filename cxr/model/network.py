"""The network: preprocessing, backbone and head in one flat graph, from raw grey levels to class probabilities."""

from dataclasses import dataclass
from typing import Any

import keras
from numpy.typing import NDArray

from cxr.config.schema import BackboneConfig
from cxr.model.weights import Weights


@dataclass(frozen=True)
class Network:
    """Two views of the same layers, which share every weight.

    Both take float32 (n, image_size, image_size, 3) with values 0..255. `classifier` ends in probabilities (n, classes) and
    is what is saved; `trainee` ends in logits (n, classes), for a loss that is exact where probabilities round to 0 or 1.
    """

    classifier: keras.Model
    trainee: keras.Model


def build_network(backbone: BackboneConfig, class_count: int, weights: Weights, seed: int = 0) -> Network:
    """MobileNetV2 (Sandler et al. 2018) with a dropout and a dense layer on its pooled features.

    Scaling to `backbone.input_range` is the first layer, so that a saved model can't be fed the wrong range. The head begins
    as `seed` says. A process builds a backbone once: the next network of the same backbone and weights takes over its layers,
    with their initial weights, and the earlier network must no longer be used.
    """
    images, pooled = _backbone(backbone, weights)
    kept = keras.layers.Dropout(backbone.dropout, seed=seed, name="dropout")(pooled)
    start = keras.initializers.GlorotUniform(seed)
    logits = keras.layers.Dense(class_count, kernel_initializer=start, dtype="float32", name="logits")(kept)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    return Network(classifier=keras.Model(images, probabilities, name="cxr"), trainee=keras.Model(images, logits, name="trainee"))


@dataclass(frozen=True)
class _Backbone:
    """A backbone with pooling, and the values that its weights began with."""

    model: keras.Model
    values: list[NDArray[Any]]


_latest: dict[tuple[object, ...], _Backbone] = {}  # one at a time


def _backbone(backbone: BackboneConfig, weights: Weights) -> tuple[Any, Any]:
    """Grey levels (n, size, size, 3) and pooled features (n, channels), as symbolic tensors."""
    size, (low, high) = backbone.image_size, backbone.input_range
    key = (size, low, high, backbone.alpha, weights, weights.sha256, keras.config.dtype_policy().name)
    known = _latest.get(key) if weights != Weights() else None  # random weights are drawn again
    if known is None:
        images = keras.Input((size, size, 3), name="grey_levels")
        scaled = keras.layers.Rescaling((high - low) / 255, offset=low, name="to_input_range")(images)
        source = "imagenet" if weights.imagenet else str(weights.path) if weights.path else None
        made = keras.applications.MobileNetV2(alpha=backbone.alpha, include_top=False, weights=source, input_tensor=scaled)
        pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(made.output)
        model = keras.Model(images, pooled)
        known = _Backbone(model, [weight.value.numpy() for weight in model.weights])
        _latest.clear()
        _latest[key] = known
    else:
        known.model.set_weights(known.values)
    return known.model.input, known.model.output
