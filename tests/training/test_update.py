"""Mixup, clipping and averages of weights, against computations in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import beta, kstest

from cxr.model.optimizer import Schedule
from cxr.training.update import Averages, clipped, mixed, partners


def test_mixup_shares_follow_beta_and_partners_are_a_permutation() -> None:
    drawn = [partners(8, 0.4, 7, step) for step in range(400)]
    shares = [float(share) for share, _ in drawn]
    assert kstest(shares, beta(0.4, 0.4).cdf).pvalue > 0.01
    assert all(sorted(order.numpy()) == list(range(8)) for _, order in drawn)
    assert len({tuple(order.numpy()) for _, order in drawn}) > 300


def test_a_step_draws_the_same_whenever_it_is_taken() -> None:
    (one, order), (again, same) = partners(5, 0.2, 1, 12), partners(5, 0.2, 1, 12)
    assert float(one) == float(again)
    assert order.numpy().tolist() == same.numpy().tolist()
    assert float(partners(5, 0.2, 2, 12)[0]) != float(one)


def test_inputs_are_mixed_with_their_partners() -> None:
    batch = np.arange(12, dtype=np.float32).reshape(3, 4)
    mixture = mixed(tf.constant(batch), tf.constant(0.25), tf.constant([2, 0, 1]))
    np.testing.assert_allclose(mixture, 0.25 * batch + 0.75 * batch[[2, 0, 1]])


@pytest.mark.parametrize(("limit", "scale"), [(0.5, 1.0), (100.0, 1.0), (0.5, 1024.0)])
def test_gradients_keep_their_direction_and_have_at_most_the_norm(limit: float, scale: float) -> None:
    rng = np.random.default_rng(0)
    plain = [rng.normal(size=shape).astype(np.float32) for shape in ((3, 2), (4,))]
    scaled = clipped([tf.constant(gradient * scale) for gradient in plain], limit, scale)
    norm = np.sqrt(sum((gradient**2).sum() for gradient in plain))
    for ours, theirs in zip(scaled, plain, strict=True):
        np.testing.assert_allclose(np.asarray(ours) / scale, theirs * min(1.0, limit / norm), rtol=1e-5)


def test_averages_follow_their_formula_and_can_be_swapped_in() -> None:
    weight = keras.Variable([1.0, -2.0])
    averages, expected = Averages([weight], 0.8), np.array([1.0, -2.0])
    for step in range(1, 60):
        weight.assign(np.array([np.sin(step), step / 10], np.float32))
        averages.update()
        decay = min(0.8, step / (step + 9))
        expected = decay * expected + (1 - decay) * np.array([np.sin(step), step / 10])
    np.testing.assert_allclose(averages.values[0], expected, rtol=1e-5)
    (before,) = averages.swap_in()
    np.testing.assert_allclose(before, [np.sin(59), 5.9], rtol=1e-6)
    np.testing.assert_allclose(weight, expected, rtol=1e-5)


def test_rate_rises_evenly_and_then_falls_as_a_cosine() -> None:
    cosine = keras.optimizers.schedules.CosineDecay(0.3, 10)
    rates = [float(Schedule(0.3, 3, 10)(step)) for step in range(13)]
    assert rates[:3] == pytest.approx([0.1, 0.2, 0.3])
    assert rates[3:] == pytest.approx([float(cosine(step)) for step in range(10)])
    assert [float(Schedule(0.3, 3, 0)(step)) for step in (3, 50)] == pytest.approx([0.3, 0.3])
