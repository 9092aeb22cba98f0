"""The losses against Keras' losses and against their formula in NumPy."""

from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.config.schema import LossConfig
from cxr.errors import UserError
from cxr.model.losses.registry import check_loss, loss_names, make_loss

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(scale=3, size=(40, 3)).astype(np.float32)
TARGETS = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 40)]
EVEN, NO_COSTS = np.ones(3, np.float32), 1 - np.eye(3, dtype=np.float32)


def loss_of(
    config: LossConfig, weights: NDArray[Any] = EVEN, costs: NDArray[Any] = NO_COSTS, logits: NDArray[Any] = LOGITS
) -> NDArray[Any]:
    return np.asarray(keras.ops.convert_to_numpy(make_loss(config, weights, costs)(TARGETS, logits)))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_plain_is_keras_cross_entropy(smoothing: float) -> None:
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing, reduction=None)(TARGETS, LOGITS)
    np.testing.assert_allclose(loss_of(LossConfig(label_smoothing=smoothing)), theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gamma", [1.0, 2.0])
def test_focal_is_keras_focal(gamma: float) -> None:
    weights = np.array([0.5, 1.0, 2.0], np.float32)
    theirs = keras.losses.CategoricalFocalCrossentropy(alpha=weights, gamma=gamma, from_logits=True, reduction=None)(
        TARGETS, LOGITS
    )
    np.testing.assert_allclose(loss_of(LossConfig(focal_gamma=gamma), weights), theirs, rtol=1e-3, atol=1e-5)


def test_weights_multiply_each_image_by_its_class() -> None:
    weights = np.array([3.0, 1.0, 0.5], np.float32)
    np.testing.assert_allclose(loss_of(LossConfig(), weights), loss_of(LossConfig()) * (TARGETS @ weights), rtol=1e-5)


def test_costs_add_the_expected_cost() -> None:
    costs = np.array([[0, 5, 2], [1, 0, 1], [1, 1, 0]], np.float32)
    p = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    expected = loss_of(LossConfig()) + 0.7 * ((TARGETS @ costs) * p).sum(axis=1)
    np.testing.assert_allclose(loss_of(LossConfig(cost_strength=0.7), costs=costs), expected, rtol=1e-4)


def test_certain_and_wrong_stays_finite() -> None:
    loss = make_loss(LossConfig(focal_gamma=2.0, cost_strength=1.0), EVEN, NO_COSTS)
    values = loss(np.eye(3, dtype=np.float32)[:1], np.array([[-300.0, 300.0, 0.0]], np.float32))
    assert float(values[0]) == pytest.approx(601, rel=1e-3)


@pytest.mark.parametrize("formula", loss_names())
def test_every_loss_has_a_value_for_each_image_and_prefers_the_true_class(formula: str) -> None:
    config = LossConfig(formula=formula)
    check_loss(config)
    right, wrong = (loss_of(config, logits=sign * 4 * TARGETS) for sign in (1, -1))
    assert right.shape == (len(TARGETS),)
    assert np.isfinite(right).all()
    assert (right < wrong).all()


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LossConfig(formula="cross_entropi"), r"loss.formula=cross_entropi is not known: .*weighted_cross_entropy"),
        (LossConfig(more={"q": float("nan")}), r"loss.more.q=nan is not a number"),
    ],
)
def test_a_loss_that_is_not_there_is_rejected(config: LossConfig, message: str) -> None:
    with pytest.raises(UserError, match=message):
        check_loss(config)
