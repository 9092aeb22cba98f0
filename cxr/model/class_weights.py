"""The weight of each class in the loss, as an array, computed before TensorFlow is imported."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import LossConfig


def class_weights(loss: LossConfig, counts: Sequence[int]) -> NDArray[np.float32]:
    """Weight of each class, (classes,), such that an average training image weighs 1.

    `balanced`: inverse frequency. `effective`: inverse effective number of images, (1 - beta) / (1 - beta^n). `counts` are of the
    training part.

    Source:
        Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019, equation 2.

    >>> class_weights(LossConfig(weighting="balanced"), [10, 30])
    array([2.       , 0.6666667], dtype=float32)
    """
    number = np.asarray(counts, np.float64)
    if loss.weighting == "balanced":
        raw = 1 / number
    elif loss.weighting == "effective":
        raw = (1 - loss.effective_beta) / (1 - loss.effective_beta**number)
    else:
        raw = np.ones_like(number)
    return np.asarray(raw * number.sum() / (raw * number).sum(), np.float32)
