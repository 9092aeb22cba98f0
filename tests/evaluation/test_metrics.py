"""Metrics against scikit-learn and by hand: for any predictions, a finite number or a reason."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn import metrics as oracle

from cxr.evaluation.metric_table import BY_CLASS, OVERALL
from cxr.evaluation.metrics import evaluate, metric_names, sensitivity_at_specificity, with_resampling
from cxr.evaluation.predictions import Predictions
from cxr.text import slug
from tests.evaluation.made import any_predictions, made, skilled


def test_a_confusion_matrix_by_hand() -> None:
    predicted = np.array([0] * 8 + [1] * 2 + [1] * 18 + [0] * 1 + [2] * 1 + [2] * 5)
    labels = np.array([0] * 10 + [1] * 20 + [2] * 5)
    found = evaluate(made(labels, np.eye(3)[predicted]))
    assert found.confusion.tolist() == [[8, 2, 0], [1, 18, 1], [0, 0, 5]]
    numbers = found.numbers
    assert numbers["accuracy"] == pytest.approx(31 / 35)
    assert numbers["covid/sensitivity"] == pytest.approx(8 / 10)
    assert numbers["covid/specificity"] == pytest.approx(24 / 25)
    assert numbers["covid/ppv"] == pytest.approx(8 / 9)
    assert numbers["covid/f1"] == pytest.approx(16 / 19)
    assert numbers["viral_pneumonia/sensitivity"] == 1


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::sklearn.exceptions.UndefinedMetricWarning")
@given(predictions=any_predictions())
def test_scikit_learn_agrees(predictions: Predictions) -> None:
    labels, predicted, numbers = predictions.labels, predictions.predicted, evaluate(predictions).numbers
    every = np.arange(len(predictions.classes))
    assert numbers["mcc"] == pytest.approx(oracle.matthews_corrcoef(labels, predicted))
    assert numbers["macro_f1"] == pytest.approx(oracle.f1_score(labels, predicted, average="macro"))
    assert numbers["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(labels, predicted))
    precision, recall, f1, _ = oracle.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    for index in every:
        for name, expected in (("ppv", precision), ("sensitivity", recall), ("f1", f1)):
            assert numbers.get(f"{slug(predictions.classes[index])}/{name}", 0) == pytest.approx(expected[index])
        if 0 < (labels == index).sum() < len(labels):
            specificity = oracle.recall_score(labels != index, predicted != index)
            assert numbers[f"{slug(predictions.classes[index])}/specificity"] == pytest.approx(specificity)
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
    assert {f"covid/{metric.name}" for metric in BY_CLASS} <= named
    assert {metric.name for metric in OVERALL} <= named
    assert named | {"covid/sensitivity_at_specificity"} <= named | set(metric_names(predictions.classes))


@given(predictions=any_predictions())
@settings(max_examples=30)
def test_intervals_hold_their_value_or_say_why_there_is_none(predictions: Predictions) -> None:
    found = with_resampling(evaluate(predictions), predictions, predictions.ids, 100)
    for name, each in found.estimates.items():
        if each.value is None or (each.low is None and not name.endswith("/f1")):
            assert each.why_not, name
        elif each.low is not None and each.high is not None:
            assert each.low - 1e-9 <= each.value <= each.high + 1e-9, name


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning", "ignore::UserWarning")
@given(predictions=any_predictions())
def test_areas_and_scores_are_those_of_scikit_learn(predictions: Predictions) -> None:
    numbers, labels, p = evaluate(predictions).numbers, predictions.labels, predictions.probabilities
    every = np.arange(len(predictions.classes))
    assert numbers["brier"] == pytest.approx(((p - np.eye(len(every))[labels]) ** 2).sum(axis=1).mean())
    assert numbers["log_loss"] == pytest.approx(oracle.log_loss(labels, p, labels=every))
    for index, name in enumerate(predictions.classes):
        if 0 < (labels == index).sum() < len(labels):
            expected = oracle.average_precision_score(labels == index, p[:, index])
            assert numbers[f"{slug(name)}/auprc"] == pytest.approx(expected)


def test_a_threshold_for_validation_meets_its_specificity() -> None:
    shown = skilled(1)
    for index, name in enumerate(shown.classes):
        found = sensitivity_at_specificity(shown, 0.95)[f"{slug(name)}/sensitivity_at_specificity"].value
        positive, scores = shown.labels == index, shown.probabilities[:, index]
        meets = [(scores[positive] >= cut).mean() for cut in [*scores, 2] if (scores[~positive] < cut).mean() >= 0.95 - 1e-12]
        assert found == max(meets)
