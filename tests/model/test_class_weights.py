"""Weights and costs as the papers and scikit-learn define them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.utils.class_weight import compute_class_weight

from cxr.config.schema import LossConfig
from cxr.model.class_weights import class_weights

COUNTS = st.lists(st.integers(1, 5000), min_size=2, max_size=10)


@given(counts=COUNTS)
def test_balanced_weights_are_scikit_learns(counts: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    expected = compute_class_weight("balanced", classes=np.arange(len(counts)), y=labels)
    np.testing.assert_allclose(class_weights(LossConfig(weighting="balanced"), counts), expected, rtol=1e-5)


@given(counts=COUNTS, beta=st.floats(0, 0.9999), weighting=st.sampled_from(["none", "balanced", "effective"]))
def test_an_average_image_weighs_one(counts: list[int], beta: float, weighting: str) -> None:
    weights = class_weights(LossConfig(weighting=weighting, effective_beta=beta), counts)
    assert np.average(weights, weights=counts) == pytest.approx(1, rel=1e-4)


def test_effective_weights_run_from_none_to_balanced() -> None:
    counts = [10, 300]
    at = {beta: class_weights(LossConfig(weighting="effective", effective_beta=beta), counts) for beta in (0.0, 0.99, 0.999999)}
    np.testing.assert_allclose(at[0.0], [1, 1])
    np.testing.assert_allclose(at[0.999999], class_weights(LossConfig(weighting="balanced"), counts), rtol=1e-2)
    # Cui et al. 2019, equation 2, by hand: (1 - 0.99^300) / (1 - 0.99^10)
    assert at[0.99][0] / at[0.99][1] == pytest.approx((1 - 0.99**300) / (1 - 0.99**10), rel=1e-5)
