"""Statistics of two models on the same images, against independent oracles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from statsmodels.stats.multitest import multipletests

from cxr.evaluation.paired import Difference, corrected, disagreements, holm, paired_differences
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.roc import auc_error
from tests.evaluation.made import made


def predictions(seed: int, count: int = 120, skill: float = 1.5, labels: NDArray[np.int64] | None = None) -> Predictions:
    """Scores of a model of some skill, with ties; the labels are the same for every seed."""
    labels = np.random.default_rng(99).integers(0, 3, count) if labels is None else labels
    logits = np.random.default_rng(seed).normal(0, 1, (len(labels), 3)).round(1)
    logits[np.arange(len(labels)), labels] += skill
    return made(labels, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))


def by_metric(reference: Predictions, other: Predictions, groups: tuple[str, ...] | None = None) -> dict[str, Difference]:
    (differences,) = corrected([paired_differences(reference, other, groups)])
    return {difference.metric: difference for difference in differences}


@settings(max_examples=10)  # the oracle takes its time
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_correction_is_over_runs_and_not_over_metrics() -> None:
    reference, first, second = predictions(1), predictions(2), predictions(3)
    assert all(difference.adjusted == difference.p_value for difference in by_metric(reference, first).values())
    both = corrected([paired_differences(reference, first), paired_differences(reference, second)])
    for pair in zip(*both, strict=True):
        p_values = [difference.p_value for difference in pair if difference.p_value is not None]
        assert [difference.adjusted for difference in pair if difference.p_value is not None] == pytest.approx(holm(p_values))


def test_model_does_not_differ_from_itself() -> None:
    for row in paired_differences(predictions(1), predictions(1)):
        assert row.difference == 0
        assert (row.p_value == 1.0 and row.low < 0 < row.high) if row.low is not None and row.high else row.why_not


def test_much_better_model_differs_clearly() -> None:
    differences = by_metric(predictions(1, 300), predictions(2, 300, skill=4))
    for name, method in {"accuracy": "Tango", "covid/auc": "DeLong", "auc_macro_ovr": "DeLong", "macro_f1": "bootstrap"}.items():
        row = differences[name]
        assert (row.is_clear, row.method) == (True, method)
        assert 0 < (row.low or 0) < row.difference < (row.high or 0)
    assert (differences["log_loss"].high or 0) < 0


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), count=st.integers(8, 80), shared=st.integers(1, 4))
def test_interval_and_test_agree_by_construction(seed: int, count: int, shared: int) -> None:
    """For any pair of models and any grouping, the interval leaves out 0 where p < 0.05 and only there."""
    rng = np.random.default_rng(seed)
    first = predictions(seed, count, skill=rng.uniform(0, 4))
    second = predictions(seed + 1, count, skill=rng.uniform(0, 4))
    for row in by_metric(first, second, tuple(str(index // shared) for index in range(count))).values():
        assert (row.low is None) == (row.high is None) == (row.p_value is None) == bool(row.why_not)
        if row.low is not None and row.high is not None and row.p_value is not None:
            assert row.low - 1e-9 <= row.difference <= row.high + 1e-9
            assert (row.low > 0 or row.high < 0) == (row.p_value < 0.05) == row.is_clear


def test_images_of_one_group_count_once() -> None:
    first, second = predictions(1), predictions(51)
    twice = np.tile(np.arange(120), 2)
    grouped = by_metric(first.only(twice), second.only(twice), groups=first.ids * 2)
    for name, row in by_metric(first, second).items():
        assert (grouped[name].low, grouped[name].high) == pytest.approx((row.low, row.high), abs=2e-3)


def test_class_with_one_image_has_a_reason_in_place_of_an_interval() -> None:
    labels = np.r_[0, 1 + np.arange(39) % 2]
    differences = by_metric(predictions(1, labels=labels), predictions(2, labels=labels))
    assert differences["covid/auc"].why_not == differences["auc_macro_ovr"].why_not == "too few images of a class"
    assert differences["normal/auc"].low is not None
    assert differences["covid/sensitivity"].low is not None
    assert auc_error(predictions(1, labels=labels), predictions(2, labels=labels), [0], np.arange(40)) is None


def test_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="not of the same images"):
        paired_differences(predictions(1, 30), predictions(1, 31))


def test_disagreements_are_the_images_that_one_gets_right() -> None:
    first, second = predictions(1), predictions(2)
    images = disagreements(first, second)
    assert 0 < len(images) == ((first.predicted == first.labels) != (second.predicted == second.labels)).sum()
    assert ((images["reference_says"] == images["label"]) == (images["right"] == "reference")).all()


def error_by_definition(positive: NDArray[np.bool_], first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """DeLong et al. 1988, equations 3-7, pair by pair."""

    def psi(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        difference = scores[positive][:, None] - scores[~positive][None, :]
        return np.asarray((difference > 0) + 0.5 * (difference == 0))

    kernels = [psi(first), psi(second)]
    ten = np.cov([kernel.mean(axis=1) for kernel in kernels])
    one = np.cov([kernel.mean(axis=0) for kernel in kernels])
    covariance = ten / kernels[0].shape[0] + one / kernels[0].shape[1]
    return float(np.sqrt(np.array([1, -1]) @ covariance @ np.array([1, -1])))


@pytest.mark.parametrize("seed", range(5))
def test_auc_error_of_a_class_agrees_with_the_definition(seed: int) -> None:
    first, second = predictions(seed, 60), predictions(seed + 50, 60)
    expected = error_by_definition(first.labels == 0, first.probabilities[:, 0], second.probabilities[:, 0])
    assert auc_error(first, second, [0], np.arange(60)) == pytest.approx(expected)


def test_auc_error_of_the_macro_average_is_the_spread_of_repeated_samples() -> None:
    labels, differences, errors = np.repeat([0, 1, 2], [30, 50, 20]), [], []
    for seed in range(300):
        pair = predictions(seed, labels=labels), predictions(seed + 1000, labels=labels, skill=2.0)
        areas = [roc_auc_score(labels, model.probabilities, multi_class="ovr") for model in pair]
        differences.append(areas[1] - areas[0])
        errors.append(auc_error(*pair, [0, 1, 2], np.arange(100)) or 0.0)
    assert float(np.mean(errors)) == pytest.approx(float(np.std(differences)), rel=0.1)
