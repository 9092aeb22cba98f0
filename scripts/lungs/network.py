"""The network that finds lungs: a small U-Net (Ronneberger et al., MICCAI 2015) of stock Keras layers."""

from typing import Any

import keras
from keras import layers

from cxr.anatomy.lung_network import SIDE

CHANNELS = (8, 16, 32, 40, 48)  # of the levels, from half of the side down
_STEM = 5  # pixels of the first kernel


def lung_network() -> keras.Model:
    """Grey levels (n, 192, 192, 1) of any range to the probability of lung, (n, 192, 192, 1)."""
    grey = keras.Input((SIDE, SIDE, 1), name="grey")
    # Each image less its mean, over its standard deviation.
    features = layers.LayerNormalization(axis=[1, 2, 3], center=False, scale=False, epsilon=1.0)(grey)
    features = _convolved(features, CHANNELS[0], _STEM, 2)
    levels = []
    for channels in CHANNELS[:-1]:
        features = _twice(features, channels)
        levels.append(features)
        features = layers.MaxPooling2D()(features)
    features = _twice(features, CHANNELS[-1])
    for channels, level in zip(reversed(CHANNELS[:-1]), reversed(levels), strict=True):
        features = layers.UpSampling2D(interpolation="bilinear")(features)
        features = _twice(layers.Concatenate()([features, level]), channels)
    logits = layers.UpSampling2D(interpolation="bilinear")(layers.Conv2D(1, 1)(features))
    return keras.Model(grey, layers.Activation("sigmoid", name="lungs")(logits), name="lungs")


def _convolved(features: Any, channels: int, kernel: int = 3, strides: int = 1) -> Any:
    features = layers.Conv2D(channels, kernel, strides, padding="same", use_bias=False)(features)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(features))


def _twice(features: Any, channels: int) -> Any:
    return _convolved(_convolved(features, channels), channels)
