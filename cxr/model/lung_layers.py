"""The layers of the network that finds lungs: a small U-Net (Ronneberger et al., MICCAI 2015) of stock Keras layers."""

from collections.abc import Callable
from typing import Any

import keras
from keras import layers

from cxr.anatomy.lung_network import convolutions

CHANNELS = (8, 16, 32, 40, 48)  # of the levels, from half of the side down
_STEM = 5  # pixels of the first kernel
# Features (n, rows, columns, channels) through a convolution to so many channels by a kernel, with strides, and what follows it.
Convolve = Callable[[Any, int, int, int], Any]


def u_net(grey: Any, convolve: Convolve, **settings: Any) -> Any:
    """Logits of lung, (n, side, side, 1).

    Args:
        grey: (n, side, side, 1) of any range.
        settings: of each layer.
    """

    def twice(features: Any, channels: int) -> Any:
        return convolve(convolve(features, channels, 3, 1), channels, 3, 1)

    def enlarged(features: Any) -> Any:
        return layers.UpSampling2D(interpolation="bilinear", **settings)(features)

    # Each image less its mean, over its standard deviation.
    features = layers.LayerNormalization(axis=[1, 2, 3], center=False, scale=False, epsilon=1.0, **settings)(grey)
    features, levels = convolve(features, CHANNELS[0], _STEM, 2), []
    for channels in CHANNELS[:-1]:
        levels.append(features := twice(features, channels))
        features = layers.MaxPooling2D(**settings)(features)
    features = twice(features, CHANNELS[-1])
    for channels, level in zip(reversed(CHANNELS[:-1]), reversed(levels), strict=True):
        features = twice(layers.Concatenate(**settings)([enlarged(features), level]), channels)
    return enlarged(layers.Conv2D(1, 1, **settings)(features))


def lung_probability(grey: Any) -> Any:
    """The probability of lung, (n, 192, 192, 1), by the network that ships with cxr; its layers do not train.

    Args:
        grey: (n, 192, 192, 1), symbolic.
    """
    settings = {"dtype": "float32", "trainable": False}

    def convolve(features: Any, channels: int, kernel: int, strides: int) -> Any:
        return layers.Conv2D(channels, kernel, strides, "same", activation="relu", **settings)(features)

    logits = u_net(grey, convolve, **settings)
    steps = [step for step in keras.Model(grey, logits).layers if isinstance(step, layers.Conv2D)]
    for step, weights in zip(steps, convolutions(), strict=True):
        step.set_weights(weights)
    return layers.Activation("sigmoid", **settings)(logits)
