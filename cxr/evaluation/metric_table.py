"""Every metric, one row each: its name, its label, how it is computed, and where it is compared and shown.

To add a metric, add a row, or install a package with an entry point in `cxr.metrics`: evaluation, bootstrap, report, comparison,
sweep table, summary and UI read this table.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from cxr.config.extensions import METRICS, installed, load
from cxr.evaluation.estimates import FISHER, LOG, LOGIT, Scale
from cxr.text import slug

Floats = NDArray[np.float64]
# compare: paired differences; headline: first screen of the report; summary: printed after a run; sweep: table of a sweep;
# folds: printed for a cross-validation; ui: columns of the MLflow UI; classes: the table of classes that the UI compares.
Place = Literal["compare", "headline", "summary", "sweep", "folds", "ui", "classes"]


@dataclass(frozen=True)
class Counts:
    """Predictions counted under b weightings of the images, for k classes.

    `hits`, `of_class` and `predicted_as` (b, k) are weights of images: correct, of the class, and predicted as the class.
    `auc` and `auprc` (b, k) are areas for each class against the rest. `total`, `log_loss` and `brier` are (b,), the last two
    means over images. A rate without images is nan, and so is every number of a class without images.
    """

    hits: Floats
    of_class: Floats
    predicted_as: Floats
    total: Floats
    log_loss: Floats
    brier: Floats
    auc: Floats
    auprc: Floats

    @cached_property
    def sensitivity(self) -> Floats:
        """Of each class, (b, k)."""
        return _share(self.hits, self.of_class)

    @cached_property
    def specificity(self) -> Floats:
        """Of each class, (b, k)."""
        rate = 1 - _share(self.predicted_as - self.hits, self.total[:, None] - self.of_class)
        return np.where(self.of_class > 0, rate, np.nan)

    @cached_property
    def f1(self) -> Floats:
        """Of each class, (b, k)."""
        return np.where(self.of_class > 0, _share(2 * self.hits, self.of_class + self.predicted_as), np.nan)


@dataclass(frozen=True)
class Metric:
    """One metric.

    `compute` returns (b,) for an overall metric and (b, k) for a metric of each class. Its bootstrap interval is symmetric on
    `scale`. Without `compute` the metric has an exact interval, and no resamples are computed for it.
    """

    name: str
    label: str  # as a sentence has it
    compute: Callable[[Counts], Floats] | None
    places: tuple[Place, ...] = ()
    scale: Scale = LOGIT

    @property
    def title(self) -> str:
        """The label as tables have it: with a capital.

        >>> Metric("macro_f1", "macro F1", None).title
        'Macro F1'
        """
        return self.label[0].upper() + self.label[1:]


OVERALL: tuple[Metric, ...] = (
    Metric(
        "accuracy",
        "accuracy",
        lambda counts: counts.hits.sum(axis=1) / counts.total,
        ("compare", "headline", "summary", "sweep", "folds"),
    ),
    Metric(
        "balanced_accuracy",
        "balanced accuracy",
        lambda counts: _mean_of_present(counts.sensitivity),
        ("compare", "summary", "folds", "ui"),
    ),
    Metric("macro_f1", "macro F1", lambda counts: _mean_of_present(counts.f1), ("compare", "summary", "folds")),
    Metric("weighted_f1", "weighted F1", lambda counts: np.nansum(counts.f1 * counts.of_class, axis=1) / counts.total),
    Metric("mcc", "Matthews' correlation", lambda counts: _matthews(counts), ("folds",), FISHER),
    Metric("log_loss", "log loss", lambda counts: counts.log_loss, ("compare",), LOG),
    Metric("brier", "Brier score", lambda counts: counts.brier, scale=LOG),
    Metric(
        "auc_macro_ovr",
        "macro AUC",
        lambda counts: counts.auc.mean(axis=1),
        ("compare", "headline", "summary", "sweep", "folds", "ui"),
    ),
    Metric("auc_weighted_ovr", "weighted AUC", lambda counts: (counts.auc * counts.of_class).sum(axis=1) / counts.total),
    Metric("auprc_macro_ovr", "macro AUPRC", lambda counts: counts.auprc.mean(axis=1)),
)
BY_CLASS = (
    Metric(
        "sensitivity",
        "sensitivity",
        lambda counts: counts.sensitivity,
        ("compare", "headline", "summary", "sweep", "folds", "ui", "classes"),
    ),
    Metric(
        "specificity",
        "specificity",
        lambda counts: counts.specificity,
        ("compare", "headline", "summary", "folds", "ui", "classes"),
    ),
    Metric("ppv", "PPV", None, ("classes",)),
    Metric("npv", "NPV", None, ("classes",)),
    Metric("f1", "F1", None),
    Metric("auc", "AUC", lambda counts: counts.auc, ("compare", "summary", "folds", "classes")),
    Metric("auprc", "AUPRC", lambda counts: counts.auprc),
)
# Of other data alone, by DeLong: images of classes that the model does not know count too. On own data it is the AUC of normal.
AUC_NOT_NORMAL = Metric("auc_not_normal", "AUC of normal against the rest", None)


def _installed() -> list[Metric]:
    """The overall metrics of installed packages: each entry point in `cxr.metrics` names a `Metric`."""
    return [metric for name in installed(METRICS) if isinstance(metric := load(METRICS, name), Metric)]


def overall(place: Place) -> list[Metric]:
    """The overall metrics that belong to a place, in the order of the table."""
    return [metric for metric in OVERALL if place in metric.places]


def by_class(place: Place) -> list[Metric]:
    """The metrics of each class that belong to a place, in the order of the table."""
    return [metric for metric in BY_CLASS if place in metric.places]


def names_at(place: Place, classes: Sequence[str]) -> list[str]:
    """The names of all metrics of a place for these classes: NAME, and SLUG/NAME for each class.

    >>> names_at("headline", ["COVID"])
    ['accuracy', 'auc_macro_ovr', 'covid/sensitivity', 'covid/specificity']
    """
    return [metric.name for metric in overall(place)] + [
        f"{slug(name)}/{metric.name}" for name in classes for metric in by_class(place)
    ]


def scale_of(name: str) -> Scale:
    """The scale of a metric by its name or SLUG/NAME."""
    return next(metric.scale for metric in (*OVERALL, *BY_CLASS) if metric.name == name.rpartition("/")[2])


def _share(part: Floats, whole: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(part / whole)


def _mean_of_present(of_class: Floats) -> Floats:
    """Mean over the classes that have images."""
    present = np.isfinite(of_class)
    return np.asarray(np.where(present, of_class, 0).sum(axis=1) / present.sum(axis=1))


def _matthews(counts: Counts) -> Floats:
    """Matthews' correlation for any number of classes (Gorodkin 2004); 0 if all images are of one class or predicted as one."""
    shared = counts.hits.sum(axis=1) * counts.total - (counts.of_class * counts.predicted_as).sum(axis=1)
    size = np.sqrt((counts.total**2 - (counts.of_class**2).sum(axis=1)) * (counts.total**2 - (counts.predicted_as**2).sum(axis=1)))
    return np.asarray(np.divide(shared, size, out=np.zeros_like(shared), where=size > 0))


OVERALL = (*OVERALL, *_installed())  # last, as those packages import what is above
