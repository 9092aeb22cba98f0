"""Statistics of two models on the same images, against independent oracles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from cxr.evaluation.paired import (
    corrected,
    delong,
    disagreements,
    holm,
    mcnemar,
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


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_mcnemar_agrees_with_statsmodels(pairs: list[tuple[bool, bool]]) -> None:
    first, second = (np.array(column) for column in zip(*pairs, strict=True))
    table = [[(first & second).sum(), (first & ~second).sum()], [(~first & second).sum(), (~first & ~second).sum()]]
    assert mcnemar(first, second) == pytest.approx(statsmodels_mcnemar(table, exact=True).pvalue)


def delong_by_definition(positive: NDArray[np.bool_], first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """DeLong et al. 1988, equations 3-7, pair by pair."""
    from scipy.stats import norm

    def psi(scores: NDArray[np.float64]) -> NDArray[np.float64]:
        difference = scores[positive][:, None] - scores[~positive][None, :]
        return np.asarray((difference > 0) + 0.5 * (difference == 0))

    kernels = [psi(first), psi(second)]
    ten = np.cov([kernel.mean(axis=1) for kernel in kernels])
    one = np.cov([kernel.mean(axis=0) for kernel in kernels])
    covariance = ten / kernels[0].shape[0] + one / kernels[0].shape[1]
    contrast = np.array([1, -1])
    z = (kernels[0].mean() - kernels[1].mean()) / np.sqrt(contrast @ covariance @ contrast)
    return float(2 * norm.sf(abs(z)))


@pytest.mark.parametrize("seed", range(5))
def test_delong_agrees_with_its_definition(seed: int) -> None:
    first, second = predictions(seed, 60), predictions(seed + 50, 60)
    positive = first.labels == 0
    scores = first.probabilities[:, 0], second.probabilities[:, 0]
    assert delong(positive, *scores) == pytest.approx(delong_by_definition(positive, *scores))
    assert delong(positive, scores[0], scores[0]) == 1.0


@settings(max_examples=10)  # the oracle takes its time
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_agrees_with_statsmodels(p_values: list[float]) -> None:
    assert holm(p_values) == pytest.approx(list(multipletests(p_values, method="holm")[1]))


def test_a_model_does_not_differ_from_itself() -> None:
    for difference in paired_differences(predictions(1), predictions(1)):
        assert (difference.difference, difference.low, difference.high) == (0, 0, 0)
        assert difference.p_value in (None, 1.0)


def test_a_much_better_model_is_told_apart() -> None:
    found = {each.metric: each for each in corrected([paired_differences(predictions(1, 300), predictions(2, 300, skill=4))])[0]}
    accuracy = found["accuracy"]
    assert accuracy.low > 0
    assert accuracy.low < accuracy.difference < accuracy.high
    assert accuracy.p_value is not None
    assert accuracy.adjusted is not None
    assert accuracy.p_value < accuracy.adjusted < 0.001
    assert found["covid/auc"].test == "DeLong"
    assert found["log_loss"].high < 0


def test_the_interval_has_the_width_that_theory_gives() -> None:
    first, second = predictions(1, 400), predictions(2, 400)
    (accuracy,) = (each for each in paired_differences(first, second) if each.metric == "accuracy")
    gain = (second.predicted == second.labels).astype(int) - (first.predicted == first.labels)
    assert (accuracy.high - accuracy.low) / (2 * 1.96 * gain.std() / 20) == pytest.approx(1, abs=0.1)


def test_images_of_one_group_are_drawn_together() -> None:
    first, second = predictions(1, 120), predictions(2, 120)
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
        assert (grouped[name].low, grouped[name].high) == pytest.approx((each.low, each.high))


def test_a_class_with_hardly_an_image_does_not_spoil_the_rest() -> None:
    few = predictions(1, 40)
    labels = np.where(few.labels == 0, 1, few.labels)
    labels[0] = 0
    first = Predictions(few.ids, CLASSES, labels, few.probabilities)
    second = Predictions(few.ids, CLASSES, labels, predictions(2, 40).probabilities)
    assert all(np.isfinite([each.low, each.high]).all() for each in paired_differences(first, second))


def test_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match="not of the same images"):
        paired_differences(predictions(1, 30), predictions(1, 31))


def test_disagreements_are_the_images_that_one_gets_right() -> None:
    first, second = predictions(1), predictions(2)
    found = disagreements(first, second)
    assert 0 < len(found) == ((first.predicted == first.labels) != (second.predicted == second.labels)).sum()
    assert ((found["reference_says"] == found["label"]) == (found["right"] == "reference")).all()
