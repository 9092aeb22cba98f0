"""Statistics of two models on the same images, against independent oracles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from cxr.evaluation.paired import (
    corrected,
    disagreements,
    holm,
    paired_differences,
)
from cxr.evaluation.predictions import Predictions

CLASSES = ("COVID", "Normal", "Viral Pneumonia")


def predictions(seed: int, count: int = 120, skill: float = 1.5) -> Predictions:
    """Scores of a model of some skill; the labels are the same for every seed."""
    labels = np.random.default_rng(99).integers(0, 3, count)
    logits = np.random.default_rng(seed).normal(0, 1, (count, 3)).round(1)
    logits[np.arange(count), labels] += skill
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(tuple(f"{index:03d}.png" for index in range(count)), CLASSES, labels, p)


def several(seed: int, count: int = 120) -> tuple[Predictions, Predictions]:
    return predictions(seed, count), predictions(seed + 50, count)


@settings(max_examples=10)  # the oracle takes its time
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_correction_is_over_runs_and_not_over_metrics() -> None:
    reference, first, second = predictions(1), predictions(2), predictions(3)
    alone = corrected([paired_differences(reference, first)])[0]
    assert [each.adjusted for each in alone] == [each.p_value for each in alone]
    both = corrected([paired_differences(reference, first), paired_differences(reference, second)])
    for one, other in zip(*both, strict=True):
        p_values = [each.p_value for each in (one, other) if each.p_value is not None]
        assert [each.adjusted for each in (one, other) if each.p_value is not None] == pytest.approx(holm(p_values))


def test_a_model_does_not_differ_from_itself() -> None:
    for each in paired_differences(predictions(1), predictions(1)):
        assert each.difference == 0
        assert (each.p_value == 1.0 and each.low < 0 < each.high) if each.low is not None and each.high else each.why_not


def test_a_much_better_model_is_told_apart() -> None:
    found = {each.metric: each for each in corrected([paired_differences(predictions(1, 300), predictions(2, 300, skill=4))])[0]}
    for name, method in {"accuracy": "Tango", "covid/auc": "DeLong", "auc_macro_ovr": "DeLong", "macro_f1": "bootstrap"}.items():
        each = found[name]
        assert each.is_clear
        assert each.method == method
        assert each.low is not None
        assert each.high is not None
        assert 0 < each.low < each.difference < each.high
    assert found["log_loss"].high is not None
    assert found["log_loss"].high < 0


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000), count=st.integers(8, 80), shared=st.integers(1, 4))
def test_interval_and_test_agree_by_construction(seed: int, count: int, shared: int) -> None:
    """For any pair of models and any grouping, the interval leaves out 0 where p < 0.05 and only there."""
    rng = np.random.default_rng(seed)
    first = predictions(seed, count, skill=rng.uniform(0, 4))
    second = predictions(seed + 1, count, skill=rng.uniform(0, 4))
    groups = [str(index // shared) for index in range(count)]
    for each in corrected([paired_differences(first, second, groups)])[0]:
        assert (each.low is None) == (each.high is None) == (each.p_value is None) == bool(each.why_not)
        if each.low is not None and each.high is not None and each.p_value is not None:
            assert each.low <= each.difference + 1e-9
            assert each.difference <= each.high + 1e-9
            assert (each.low > 0 or each.high < 0) == (each.p_value < 0.05)
            assert each.is_clear == (each.p_value < 0.05)


def test_images_of_one_group_count_once() -> None:
    first, second = several(1)
    doubled = [
        Predictions(
            tuple(f"{copy}-{name}" for copy in "ab" for name in each.ids),
            CLASSES,
            np.tile(each.labels, 2),
            np.tile(each.probabilities, (2, 1)),
        )
        for each in (first, second)
    ]
    single = {each.metric: each for each in paired_differences(first, second)}
    grouped = {each.metric: each for each in paired_differences(doubled[0], doubled[1], groups=[*first.ids, *first.ids])}
    for name, each in single.items():
        assert (grouped[name].low, grouped[name].high) == pytest.approx((each.low, each.high), abs=2e-3)


def test_a_class_with_one_image_has_a_reason_in_place_of_an_interval() -> None:
    few = predictions(1, 40)
    labels = np.where(few.labels == 0, 1, few.labels)
    labels[0] = 0
    first = Predictions(few.ids, CLASSES, labels, few.probabilities)
    second = Predictions(few.ids, CLASSES, labels, predictions(2, 40).probabilities)
    found = {each.metric: each for each in paired_differences(first, second)}
    assert found["covid/auc"].why_not == found["auc_macro_ovr"].why_not == "too few images of a class"
    assert found["normal/auc"].low is not None
    assert found["covid/sensitivity"].low is not None


def test_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="not of the same images"):
        paired_differences(predictions(1, 30), predictions(1, 31))


def test_disagreements_are_the_images_that_one_gets_right() -> None:
    first, second = predictions(1), predictions(2)
    found = disagreements(first, second)
    assert 0 < len(found) == ((first.predicted == first.labels) != (second.predicted == second.labels)).sum()
    assert ((found["reference_says"] == found["label"]) == (found["right"] == "reference")).all()
