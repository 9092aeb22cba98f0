"""The network: preprocessing, backbone and head in one flat graph, from raw grey levels to class probabilities."""

from dataclasses import dataclass

import keras

from cxr.config import BackboneConfig
from cxr.model.weights import Weights


@dataclass(frozen=True)
class Network:
    """Two views of the same layers, which share every weight.

    Both take float32 (n, image_size, image_size, 3) with values 0..255. `classifier` ends in probabilities (n, classes) and
    is what is saved; `trainee` ends in logits (n, classes), for a loss that is exact where probabilities round to 0 or 1.
    """

    classifier: keras.Model
    trainee: keras.Model


def build_network(backbone: BackboneConfig, class_count: int, weights: Weights) -> Network:
    """MobileNetV2 (Sandler et al. 2018) with a dropout and a dense layer on its pooled features.

    Scaling to `backbone.input_range` is the first layer, so that a saved model can't be fed the wrong range.
    """
    size = backbone.image_size
    low, high = backbone.input_range
    images = keras.Input((size, size, 3), name="grey_levels")
    scaled = keras.layers.Rescaling((high - low) / 255, offset=low, name="to_input_range")(images)
    source = "imagenet" if weights.imagenet else str(weights.path) if weights.path else None
    features = keras.applications.MobileNetV2(alpha=backbone.alpha, include_top=False, weights=source, input_tensor=scaled).output
    pooled = keras.layers.GlobalAveragePooling2D(name="pooled")(features)
    kept = keras.layers.Dropout(backbone.dropout, name="dropout")(pooled)
    logits = keras.layers.Dense(class_count, dtype="float32", name="logits")(kept)
    probabilities = keras.layers.Softmax(dtype="float32", name="probabilities")(logits)
    return Network(classifier=keras.Model(images, probabilities, name="cxr"), trainee=keras.Model(images, logits, name="trainee"))
