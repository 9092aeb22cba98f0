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


def test_confusion_matrix_by_hand() -> None:
    predicted = np.array([0] * 8 + [1] * 2 + [1] * 18 + [0] * 1 + [2] * 1 + [2] * 5)
    labels = np.array([0] * 10 + [1] * 20 + [2] * 5)
    evaluation = evaluate(made(labels, np.eye(3)[predicted]))
    assert evaluation.confusion.tolist() == [[8, 2, 0], [1, 18, 1], [0, 0, 5]]
    expected = {"accuracy": 31 / 35, "covid/sensitivity": 8 / 10, "covid/specificity": 24 / 25, "covid/ppv": 8 / 9}
    expected |= {"covid/f1": 16 / 19, "viral_pneumonia/sensitivity": 1}
    assert {name: evaluation.numbers[name] for name in expected} == pytest.approx(expected)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::sklearn.exceptions.UndefinedMetricWarning")
@given(predictions=any_predictions())
def test_scikit_learn_agrees(predictions: Predictions) -> None:
    labels, predicted, numbers = predictions.labels, predictions.predicted, evaluate(predictions).numbers
    every, p = np.arange(len(predictions.classes)), predictions.probabilities
    assert numbers["brier"] == pytest.approx(((p - np.eye(len(every))[labels]) ** 2).sum(axis=1).mean())
    assert numbers["log_loss"] == pytest.approx(oracle.log_loss(labels, p, labels=every))
    assert numbers["mcc"] == pytest.approx(oracle.matthews_corrcoef(labels, predicted))
    assert numbers["macro_f1"] == pytest.approx(oracle.f1_score(labels, predicted, average="macro", labels=np.unique(labels)))
    assert numbers["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(labels, predicted))
    precision, recall, f1, _ = oracle.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    for index, of_class in enumerate(map(slug, predictions.classes)):
        if index not in labels:
            assert not [name for name in numbers if name.startswith(f"{of_class}/")]
            continue
        for name, expected in (("ppv", precision), ("sensitivity", recall), ("f1", f1)):
            assert numbers.get(f"{of_class}/{name}", 0) == pytest.approx(expected[index])
        if 0 < (labels == index).sum() < len(labels):
            specificity = oracle.recall_score(labels != index, predicted != index)
            assert numbers[f"{of_class}/specificity"] == pytest.approx(specificity)
            assert numbers[f"{of_class}/auprc"] == pytest.approx(oracle.average_precision_score(labels == index, p[:, index]))
    if len(set(labels)) == len(every) > 2:
        for average in ("macro", "weighted"):
            expected = oracle.roc_auc_score(labels, p, multi_class="ovr", average=average)
            assert numbers[f"auc_{average}_ovr"] == pytest.approx(expected)


@given(predictions=any_predictions())
@settings(max_examples=60)
def test_every_metric_has_a_finite_number_in_its_interval_or_a_reason(predictions: Predictions) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        evaluation = evaluate(predictions)
    assert all(np.isfinite(value) for value in evaluation.numbers.values())
    named = {f"covid/{metric.name}" for metric in BY_CLASS} | {metric.name for metric in OVERALL}
    assert named <= set(evaluation.estimates) <= set(metric_names(predictions.classes))
    for name, estimate in with_resampling(evaluation, predictions, predictions.ids, 100).estimates.items():
        if estimate.known:
            value, low, high = estimate.known
            assert low - 1e-9 <= value <= high + 1e-9, name
        elif estimate.value is None or not name.endswith("/f1"):
            assert estimate.why_not, name


def test_sensitivity_at_specificity_is_the_best_of_all_thresholds() -> None:
    shown = skilled(1)
    for index, name in enumerate(shown.classes):
        best = sensitivity_at_specificity(shown, 0.95)[f"{slug(name)}/sensitivity_at_specificity"].value
        positive, scores = shown.labels == index, shown.probabilities[:, index]
        meets = [(scores[positive] >= cut).mean() for cut in [*scores, 2] if (scores[~positive] < cut).mean() >= 0.95 - 1e-12]
        assert best == max(meets)
