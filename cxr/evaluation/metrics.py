"""Named numbers from predictions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    matthews_corrcoef,
    roc_auc_score,
    roc_curve,
)

from cxr.evaluation.predictions import Predictions
from cxr.words import slug


@dataclass(frozen=True)
class Evaluation:
    """What predictions of one part amount to.

    `numbers` by name, each finite; `undefined` says of the others why they have no value; `confusion` (classes, classes)
    counts images by true class (row) and predicted class (column).
    """

    numbers: dict[str, float]
    undefined: dict[str, str]
    confusion: NDArray[np.int64]


OVERALL = ("accuracy", "balanced_accuracy", "macro_f1", "weighted_f1", "mcc", "log_loss", "auc_macro_ovr", "auc_weighted_ovr")
BY_CLASS = ("precision", "sensitivity", "specificity", "f1", "auc")


def metric_names(classes: Sequence[str]) -> list[str]:
    """The names of all numbers that validation predictions of these classes may have."""
    by_class = (*BY_CLASS, "sensitivity_at_specificity")
    return [*OVERALL, *(f"{slug(name)}/{key}" for name in classes for key in by_class)]


def evaluate(predictions: Predictions) -> Evaluation:
    """Judge the most probable class and the ranking by each class's probability.

    Names: accuracy, balanced_accuracy, macro_f1, weighted_f1, mcc, log_loss, auc_macro_ovr, auc_weighted_ovr, and for each
    class SLUG/precision, SLUG/sensitivity, SLUG/specificity, SLUG/f1, SLUG/auc (one against the rest).
    """
    labels, predicted, indices = predictions.labels, predictions.predicted, np.arange(len(predictions.classes))
    confusion = confusion_matrix(labels, predicted, labels=indices)
    numbers: dict[str, float] = {
        "accuracy": accuracy_score(labels, predicted),
        "macro_f1": f1_score(labels, predicted, labels=indices, average="macro", zero_division=0),
        "weighted_f1": f1_score(labels, predicted, labels=indices, average="weighted", zero_division=0),
        "mcc": matthews_corrcoef(labels, predicted) if np.count_nonzero(confusion) > 1 else 0.0,  # else scikit-learn warns
        "log_loss": log_loss(labels, predictions.probabilities, labels=indices),
    }
    undefined: dict[str, str] = {}
    for index, name in enumerate(predictions.classes):
        of_class, missing = _judge_class(confusion, index, labels, predictions.probabilities[:, index])
        numbers |= {f"{slug(name)}/{key}": value for key, value in of_class.items()}
        undefined |= {f"{slug(name)}/{key}": reason for key, reason in missing.items()}
    sensitivities = [numbers[name] for name in numbers if name.endswith("/sensitivity")]
    numbers["balanced_accuracy"] = float(np.mean(sensitivities))  # over the classes that occur, as scikit-learn has it
    _average_auc(predictions, numbers, undefined)
    return Evaluation({name: float(value) for name, value in numbers.items()}, undefined, confusion)


def sensitivity_at_specificity(predictions: Predictions, specificity: float) -> dict[str, float]:
    """By class, SLUG/sensitivity_at_specificity: the highest sensitivity that a threshold of at least this specificity has.

    The threshold is chosen on these very predictions, so this is for validation, to choose among models. Classes of which
    there are no images, or nothing else, are left out.
    """
    found = {}
    for index, name in enumerate(predictions.classes):
        positive = predictions.labels == index
        if 0 < positive.sum() < len(positive):
            false_rate, true_rate, _ = roc_curve(positive, predictions.probabilities[:, index], drop_intermediate=False)
            reached = true_rate[false_rate <= 1 - specificity + 1e-12]  # rounding must not lose an exact hit
            found[f"{slug(name)}/sensitivity_at_specificity"] = float(reached.max())
    return found


def wilson_interval(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Score interval of a proportion (Wilson 1927); (0, 1) where there were no trials."""
    if trials == 0:
        return 0.0, 1.0
    interval = binomtest(int(successes), int(trials)).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def _judge_class(
    confusion: NDArray[np.int64], index: int, labels: NDArray[np.int64], scores: NDArray[np.float64]
) -> tuple[dict[str, float], dict[str, str]]:
    hits = int(confusion[index, index])
    of_class, called = int(confusion[index].sum()), int(confusion[:, index].sum())
    rest = int(confusion.sum()) - of_class
    no_positive, no_negative = "no image is of this class", "every image is of this class"
    ratios: dict[str, tuple[Callable[[], float], str]] = {
        "precision": (lambda: hits / called, "" if called else "no image was called this class"),
        "sensitivity": (lambda: hits / of_class, "" if of_class else no_positive),
        "specificity": (lambda: 1 - (called - hits) / rest, "" if rest else no_negative),
        "f1": (lambda: 2 * hits / (of_class + called), "" if of_class + called else "no image is of this class or called so"),
        "auc": (
            lambda: float(roc_auc_score(labels == index, scores)),
            no_positive if not of_class else no_negative if not rest else "",
        ),
    }
    return (
        {name: value() for name, (value, reason) in ratios.items() if not reason},
        {name: reason for name, (_, reason) in ratios.items() if reason},
    )


def _average_auc(predictions: Predictions, numbers: dict[str, float], undefined: dict[str, str]) -> None:
    """Mean of the one-vs-rest AUCs, plain and weighted by class frequency (Fawcett 2006, section 8)."""
    names = [f"{slug(name)}/auc" for name in predictions.classes]
    missing = [name for name in names if name not in numbers]
    if missing:
        reason = f"{', '.join(missing)} has no value"
        undefined |= {"auc_macro_ovr": reason, "auc_weighted_ovr": reason}
        return
    aucs = [numbers[name] for name in names]
    frequency = np.bincount(predictions.labels, minlength=len(names))
    numbers["auc_macro_ovr"] = float(np.mean(aucs))
    numbers["auc_weighted_ovr"] = float(np.average(aucs, weights=frequency))
