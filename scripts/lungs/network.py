"""The network that finds lungs, as it is trained: with batch normalisation after each convolution."""

from typing import Any

import keras
from keras import layers

from cxr.anatomy.lung_network import SIDE
from cxr.model.lung_layers import u_net


def lung_network() -> keras.Model:
    """Grey levels (n, 192, 192, 1) of any range to the probability of lung, (n, 192, 192, 1)."""
    grey = keras.Input((SIDE, SIDE, 1), name="grey")
    return keras.Model(grey, layers.Activation("sigmoid", name="lungs")(u_net(grey, _convolved)), name="lungs")


def _convolved(features: Any, channels: int, kernel: int, strides: int) -> Any:
    features = layers.Conv2D(channels, kernel, strides, padding="same", use_bias=False)(features)
    return layers.ReLU()(layers.BatchNormalization(momentum=0.95)(features))
