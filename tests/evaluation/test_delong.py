"""The error of a difference in AUC, against the definition pair by pair and against a simulation."""

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.evaluation.delong import auc_error
from cxr.evaluation.predictions import Predictions


def predictions(seed: int, labels: NDArray[np.int64], skill: float = 1.5) -> Predictions:
    logits = np.random.default_rng(seed).normal(0, 1, (len(labels), 3)).round(1)
    logits[np.arange(len(labels)), labels] += skill
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(tuple(map(str, range(len(labels)))), ("COVID", "Normal", "Viral"), labels, p)


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
def test_error_of_a_class_agrees_with_the_definition(seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 3, 60)
    first, second = predictions(seed, labels), predictions(seed + 50, labels)
    expected = error_by_definition(labels == 0, first.probabilities[:, 0], second.probabilities[:, 0])
    assert auc_error(first, second, [0], np.arange(60)) == pytest.approx(expected)


def test_the_macro_average_has_the_spread_of_repeated_samples() -> None:
    from sklearn.metrics import roc_auc_score

    labels = np.repeat([0, 1, 2], [30, 50, 20])
    differences: list[float] = []
    errors: list[float] = []
    for seed in range(300):
        first, second = predictions(seed, labels), predictions(seed + 1000, labels, skill=2.0)
        areas = [roc_auc_score(labels, each.probabilities, multi_class="ovr", average="macro") for each in (first, second)]
        differences.append(areas[1] - areas[0])
        errors.append(auc_error(first, second, [0, 1, 2], np.arange(100)) or 0.0)
    assert float(np.mean(errors)) == pytest.approx(float(np.std(differences)), rel=0.1)


def test_single_image_of_a_class_has_no_error() -> None:
    labels = np.array([0, 1, 1, 2, 2])
    assert auc_error(predictions(0, labels), predictions(1, labels), [0], np.arange(5)) is None
