"""Net benefit by its definition, patient by patient."""

import numpy as np
import pytest

from cxr.evaluation.decision_curve import decision_curve

ALONE = [str(row) for row in range(400)]


def test_net_benefit_by_definition() -> None:
    rng = np.random.default_rng(0)
    positive, p = rng.random(200) < 0.3, rng.random(200)
    curve = decision_curve(positive, p, ALONE[:200])
    for threshold, model, treat_all in zip(curve.thresholds, curve.model, curve.treat_all, strict=True):
        worth = [1 if sick else -threshold / (1 - threshold) for sick in positive]
        assert model == pytest.approx(sum(value for value, chance in zip(worth, p, strict=True) if chance >= threshold) / 200)
        assert treat_all == pytest.approx(sum(worth) / 200)
    perfect = decision_curve(np.arange(100) < 25, (np.arange(100) < 25).astype(float), ALONE[:100])
    assert perfect.treat_all[perfect.thresholds.index(0.25)] == pytest.approx(0)  # it breaks even at the prevalence
    assert perfect.model == pytest.approx([0.25] * 99)


def test_band_is_that_of_a_bootstrap_and_wider_where_images_are_alike() -> None:
    rng = np.random.default_rng(1)
    positive = rng.random(400) < 0.3
    p = np.clip(0.3 * positive + rng.random(400) * 0.7, 0, 1)
    curve = decision_curve(positive, p, ALONE)
    place = curve.thresholds.index(0.4)
    worth = np.where(p >= 0.4, np.where(positive, 1, -0.4 / 0.6), 0)
    means = [worth[rng.integers(0, 400, 400)].mean() for _ in range(2000)]
    assert curve.high[place] - curve.low[place] == pytest.approx(2 * 1.96 * np.std(means), rel=0.06)
    twice = decision_curve(np.repeat(positive, 2), np.repeat(p, 2), np.repeat(ALONE, 2).tolist())
    assert (twice.low[place], twice.high[place]) == pytest.approx((curve.low[place], curve.high[place]))
