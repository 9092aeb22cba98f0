"""Numbers against scikit-learn and by hand; whatever the predictions, a finite number or a reason why there is none."""

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as oracle

from cxr.evaluation.metrics import evaluate, wilson_interval
from cxr.evaluation.predictions import Predictions

CLASSES = ("COVID", "Normal", "Viral Pneumonia")


def made(labels: NDArray[np.int64], probabilities: NDArray[np.float64], classes: tuple[str, ...] = CLASSES) -> Predictions:
    return Predictions(tuple(map(str, range(len(labels)))), classes, labels, probabilities)


@st.composite
def any_predictions(draw: st.DrawFn) -> Predictions:
    """From one image to sixty, two classes to six, with ties, certainty, and classes that never occur."""
    classes, count = draw(st.integers(2, 6)), draw(st.integers(1, 60))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scores = rng.integers(0, draw(st.sampled_from([2, 5, 1000])), (count, classes)) + 1e-12
    labels = rng.integers(0, draw(st.integers(1, classes)), count)
    return made(labels, scores / scores.sum(axis=1, keepdims=True), tuple(f"class {index}" for index in range(classes)))


def test_a_confusion_matrix_by_hand() -> None:
    predicted = np.array([0] * 8 + [1] * 2 + [1] * 18 + [0] * 1 + [2] * 1 + [2] * 5)
    labels = np.array([0] * 10 + [1] * 20 + [2] * 5)
    found = evaluate(made(labels, np.eye(3)[predicted]))
    assert found.confusion.tolist() == [[8, 2, 0], [1, 18, 1], [0, 0, 5]]
    numbers = found.numbers
    assert numbers["accuracy"] == pytest.approx(31 / 35)
    assert numbers["covid/sensitivity"] == pytest.approx(8 / 10)
    assert numbers["covid/specificity"] == pytest.approx(24 / 25)
    assert numbers["covid/precision"] == pytest.approx(8 / 9)
    assert numbers["covid/f1"] == pytest.approx(16 / 19)
    assert numbers["viral_pneumonia/sensitivity"] == 1


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::sklearn.exceptions.UndefinedMetricWarning")
@given(predictions=any_predictions())
def test_scikit_learn_agrees(predictions: Predictions) -> None:
    labels, predicted, numbers = predictions.labels, predictions.predicted, evaluate(predictions).numbers
    every = np.arange(len(predictions.classes))
    assert numbers["mcc"] == pytest.approx(oracle.matthews_corrcoef(labels, predicted))
    assert numbers["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(labels, predicted))
    precision, recall, f1, _ = oracle.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    for index in every:
        for name, expected in (("precision", precision), ("sensitivity", recall), ("f1", f1)):
            assert numbers.get(f"class_{index}/{name}", 0) == pytest.approx(expected[index])
        if 0 < (labels == index).sum() < len(labels):
            specificity = oracle.recall_score(labels != index, predicted != index)
            assert numbers[f"class_{index}/specificity"] == pytest.approx(specificity)
    if len(set(labels)) == len(every) > 2:
        for average in ("macro", "weighted"):
            expected = oracle.roc_auc_score(labels, predictions.probabilities, multi_class="ovr", average=average)
            assert numbers[f"auc_{average}_ovr"] == pytest.approx(expected)


@given(predictions=any_predictions())
def test_every_number_is_finite_or_has_a_reason(predictions: Predictions) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = evaluate(predictions)
    assert all(np.isfinite(value) for value in found.numbers.values())
    assert all(found.undefined.values())
    assert not set(found.numbers) & set(found.undefined)
    named = set(found.numbers) | set(found.undefined)
    assert {f"class_0/{name}" for name in ("precision", "sensitivity", "specificity", "f1", "auc")} <= named
    assert {
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "weighted_f1",
        "mcc",
        "log_loss",
        "auc_macro_ovr",
        "auc_weighted_ovr",
    } <= named


def test_a_wilson_interval_from_the_literature() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(0, 0) == (0, 1)
