"""Cross-entropy with class weights, focusing, label smoothing and a cost for each pair of true and predicted class."""

from typing import Any

import keras
import numpy as np
from keras import ops
from numpy.typing import NDArray

from cxr.config.schema import LossConfig
from cxr.model.losses.registry import Loss


def make_loss(loss: LossConfig, weights: NDArray[Any], costs: NDArray[Any]) -> Loss:
    """A Keras loss of one-hot targets and logits, both (n, classes), that returns one value an image, (n,).

    For true class y and probabilities p, with targets q smoothed towards 1 / classes by `label_smoothing`:

        weights[y] * sum_j q_j (1 - p_j)^focal_gamma (-log p_j)  +  cost_strength * sum_j costs[y, j] p_j

    The first sum is focal loss (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 4) and plain
    cross-entropy at gamma 0; the second is the expected cost, as Galdran et al. add it to cross-entropy ("Cost-Sensitive
    Regularization for Diabetic Retinopathy Grading from Eye Fundus Images", MICCAI 2020, equation 3).
    """
    return WeighedLoss(loss, weights, costs)


class WeighedLoss:
    """The loss of `make_loss`, whose numbers are variables: compiled steps of one loss serve another of the same `form`."""

    def __init__(self, loss: LossConfig, weights: NDArray[Any], costs: NDArray[Any]) -> None:
        self.form = ("weighted_cross_entropy", len(weights), loss.focal_gamma != 0, loss.cost_strength > 0)
        numbers = (weights, costs, loss.focal_gamma, loss.label_smoothing, loss.cost_strength)
        self.numbers = [keras.Variable(np.asarray(each, np.float32), trainable=False) for each in numbers]

    def __call__(self, targets: Any, logits: Any) -> Any:
        """The loss of each image."""
        weights, costs, gamma, smoothing, strength = (ops.cast(each, logits.dtype) for each in self.numbers)
        _, class_count, focal, costly = self.form
        targets = ops.cast(targets, logits.dtype)
        log_p = ops.log_softmax(logits, axis=-1)
        p = ops.exp(log_p)
        smoothed = targets * (1 - smoothing) + smoothing / class_count
        focused = -log_p * (1 - p) ** gamma if focal else -log_p
        per_image = ops.sum(targets * weights, axis=-1) * ops.sum(smoothed * focused, axis=-1)
        if costly:
            per_image += strength * ops.sum(ops.matmul(targets, costs) * p, axis=-1)
        return per_image
