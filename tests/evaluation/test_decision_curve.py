"""Net benefit by its definition, patient by patient."""

import numpy as np
import pytest

from cxr.evaluation.decision_curve import decision_curve


def test_net_benefit_by_definition() -> None:
    rng = np.random.default_rng(0)
    positive, p = rng.random(200) < 0.3, rng.random(200)
    found = decision_curve(positive, p)
    for threshold, model, treat_all in zip(found.thresholds, found.model, found.treat_all, strict=True):
        worth = [(1 if sick else -threshold / (1 - threshold)) for sick, said in zip(positive, p, strict=True) if said >= threshold]
        assert model == pytest.approx(sum(worth) / 200)
        everyone = [(1 if sick else -threshold / (1 - threshold)) for sick in positive]
        assert treat_all == pytest.approx(sum(everyone) / 200)


def test_treating_all_breaks_even_at_the_prevalence_and_a_perfect_model_never_loses() -> None:
    positive = np.arange(100) < 25
    found = decision_curve(positive, positive.astype(float))
    assert found.treat_all[found.thresholds.index(0.25)] == pytest.approx(0)
    assert found.model == pytest.approx([0.25] * 99)
