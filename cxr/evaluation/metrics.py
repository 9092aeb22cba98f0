"""Metrics of predictions, each with its interval or the reason why it has none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, roc_curve

from cxr.evaluation.estimates import Estimate, ends_of, four_rates, lacking, no_image_of, proportion_among, values_of, with_interval
from cxr.evaluation.metric_table import BY_CLASS, OVERALL, scale_of
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.resampling import resampled, statistic_names, statistics_of
from cxr.evaluation.roc import area_under_roc
from cxr.text import slug


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one part.

    `estimates` by name; `confusion` (classes, classes) counts images by true class (row) and predicted class (column).
    """

    estimates: dict[str, Estimate]
    confusion: NDArray[np.int64]

    @property
    def numbers(self) -> dict[str, float]:
        """The values by name, each finite."""
        return values_of(self.estimates)

    @property
    def intervals(self) -> dict[str, float]:
        """The ends of the intervals, as NAME_lo and NAME_hi."""
        return ends_of(self.estimates)

    @property
    def logged(self) -> dict[str, float]:
        """Values and ends of intervals, as a store keeps them."""
        return self.numbers | self.intervals

    @property
    def undefined(self) -> dict[str, str]:
        """The reason for each metric without a value."""
        return {name: estimate.why_not for name, estimate in self.estimates.items() if estimate.value is None}


WITHOUT_SHORTCUT = "val/auc_on_other_surroundings"  # of an audit, on validation images alone


WORST_GROUP_AUC = "worst_group_auc"  # of subgroups, on validation images alone


def metric_names(classes: Sequence[str]) -> list[str]:
    """The names of all numbers that validation predictions of these classes may have."""
    by_class = [*(metric.name for metric in BY_CLASS), "sensitivity_at_specificity"]
    return [*(metric.name for metric in OVERALL), WORST_GROUP_AUC, *(f"{slug(name)}/{key}" for name in classes for key in by_class)]


def evaluate(predictions: Predictions, groups: Sequence[str] | None = None) -> Evaluation:
    """Metrics of the most probable class, and of the ranking by the probability of each class.

    Names: those of `OVERALL`, and for each class SLUG/NAME of `BY_CLASS`, one against the rest. Sensitivity, specificity, PPV,
    NPV and accuracy have Wilson intervals, AUC DeLong's; `with_resampling` adds those of the others. Images of one of the
    `groups` (n,) count as alike; without any each image is a group.
    """
    confusion = confusion_matrix(predictions.labels, predictions.predicted, labels=np.arange(len(predictions.classes)))
    names = statistic_names(predictions.classes)
    values = statistics_of(predictions)(np.ones((1, len(predictions.labels))))[:, 0]
    estimates = {name: Estimate(float(value)) for name, value in zip(names, values, strict=True) if np.isfinite(value)}
    all_images = np.ones(len(predictions.labels), bool)
    estimates["accuracy"] = proportion_among(predictions.predicted == predictions.labels, all_images, groups, "")
    for index, name in enumerate(predictions.classes):
        positive, called = predictions.labels == index, predictions.predicted == index
        if not positive.any():
            estimates |= {f"{slug(name)}/{metric.name}": lacking(no_image_of(name)) for metric in BY_CLASS}
            continue
        of_class = four_rates(called, positive, groups, "this class", "this class")
        f1 = Estimate(2 * int((positive & called).sum()) / int(positive.sum() + called.sum()))
        of_class |= {"f1": f1, "auc": area_under_roc(positive, predictions.probabilities[:, index], groups)}
        estimates |= {f"{slug(name)}/{key}": estimate for key, estimate in of_class.items()}
        for metric in BY_CLASS:
            estimates.setdefault(f"{slug(name)}/{metric.name}", lacking(of_class["auc"].why_not))
    missing = [name for name, estimate in estimates.items() if name.endswith("/auc") and estimate.value is None]
    absent = [name for name, count in predictions.by_class.items() if not count]
    for metric in OVERALL:
        if metric.name not in estimates:
            estimates[metric.name] = lacking(no_image_of(*absent) if absent else f"{', '.join(missing)} has no value")
    return Evaluation(estimates, confusion)


def with_resampling(evaluation: Evaluation, predictions: Predictions, groups: Sequence[str], resamples: int) -> Evaluation:
    """The same numbers; those with no interval get one by a bootstrap over `groups`, the group of each image.

    F1 of one class has none: sensitivity and PPV have intervals.
    """
    drawn = resampled(statistics_of(predictions), groups, resamples, seed=0)
    estimates = dict(evaluation.estimates)
    for name, values in zip(statistic_names(predictions.classes), drawn, strict=True):
        if estimates[name].low is None and not estimates[name].why_not:
            estimates[name] = with_interval(estimates[name], values, scale_of(name))
    return replace(evaluation, estimates=estimates)


def sensitivity_at_specificity(predictions: Predictions, specificity: float) -> dict[str, Estimate]:
    """By class, SLUG/sensitivity_at_specificity: the highest sensitivity that a threshold of at least this specificity has.

    The threshold is chosen on these very predictions, so this is for validation, to choose among models. Classes of which
    there are no images, or nothing else, are left out.
    """
    estimates = {}
    for index, name in enumerate(predictions.classes):
        positive = predictions.labels == index
        if 0 < positive.sum() < len(positive):
            false_rate, true_rate, _ = roc_curve(positive, predictions.probabilities[:, index], drop_intermediate=False)
            reached = true_rate[false_rate <= 1 - specificity + 1e-12]  # rounding must not lose an exact hit
            chosen_here = "no interval: the threshold was chosen on these images"
            estimates[f"{slug(name)}/sensitivity_at_specificity"] = Estimate(float(reached.max()), why_not=chosen_here)
    return estimates
