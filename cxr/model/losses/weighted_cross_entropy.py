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

    The first sum is focal loss, and plain cross-entropy at gamma 0; the second is the expected cost.

    Args:
        weights: (classes,).
        costs: (classes, classes), of each true and predicted class.

    Source:
        Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, equation 4; Galdran et al., "Cost-Sensitive Regularization
        for Diabetic Retinopathy Grading from Eye Fundus Images", MICCAI 2020, equation 3.
    """
    values = (weights, costs, loss.focal_gamma, loss.label_smoothing, loss.cost_strength)
    # Variables: TensorFlow would fold constants into other operations, which round otherwise.
    numbers = [keras.Variable(np.asarray(value, np.float32), trainable=False) for value in values]

    def weighted_cross_entropy(targets: Any, logits: Any) -> Any:
        class_weights, pair_costs, gamma, smoothing, strength = (ops.cast(number, logits.dtype) for number in numbers)
        targets = ops.cast(targets, logits.dtype)
        log_p = ops.log_softmax(logits, axis=-1)
        p = ops.exp(log_p)
        smoothed = targets * (1 - smoothing) + smoothing / len(weights)
        focused = -log_p * (1 - p) ** gamma if loss.focal_gamma else -log_p
        per_image = ops.sum(targets * class_weights, axis=-1) * ops.sum(smoothed * focused, axis=-1)
        if loss.cost_strength > 0:
            per_image += strength * ops.sum(ops.matmul(targets, pair_costs) * p, axis=-1)
        return per_image

    return weighted_cross_entropy
