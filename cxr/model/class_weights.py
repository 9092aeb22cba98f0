"""What each class, and each kind of mistake, weighs in the loss: plain arrays, worked out before TensorFlow is imported."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cxr.config import LossConfig
from cxr.errors import Mistake
from cxr.words import nearest, slug


def class_weights(loss: LossConfig, counts: Sequence[int]) -> NDArray[np.float32]:
    """Weight of each class, (classes,), such that an average training image weighs 1.

    `balanced`: inverse frequency. `effective`: inverse effective number of images, (1 - beta) / (1 - beta^n), Cui et al.,
    "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019, equation 2. `counts` are of the training part.

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


def cost_matrix(loss: LossConfig, classes: Sequence[str]) -> NDArray[np.float32]:
    """Cost of each true (row) and predicted (column) class, (classes, classes): 0 if right, 1 unless the config says.

    Raises `Mistake` for a class that the data does not have.

    >>> cost_matrix(LossConfig(costs={"covid": {"normal": 5}}), ["COVID", "Normal"]).tolist()
    [[0.0, 5.0], [1.0, 0.0]]
    """
    names = [slug(name) for name in classes]
    costs = 1 - np.eye(len(names), dtype=np.float32)
    for true, row in loss.costs.items():
        for predicted, cost in row.items():
            for name in (true, predicted):
                if name not in names:
                    raise Mistake(f"loss.costs.{true}.{predicted}: the data has no class {name}: {nearest(name, names)}")
            if true == predicted:
                raise Mistake(f"loss.costs.{true}.{predicted} is the cost of being right: leave it out")
            costs[names.index(true), names.index(predicted)] = cost
    return costs
