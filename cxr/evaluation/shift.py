"""How far other images lie from those of a run: a two-sample test on pooled features, and the properties that differ most."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cxr.evaluation.estimates import Estimate
from cxr.evaluation.roc import area_under_roc

GATE_PASSING = 0.97  # share of images that the gate of a model knows nothing of, and lets pass
MOST = 500  # images of either side
_LEAST, _PARTS, _COMPONENTS = 20, 5, 50


@dataclass(frozen=True)
class Sample:
    """Images as a shift is measured on: ids, labels, groups and a row of pooled features (n, channels) and properties each."""

    images: pd.DataFrame  # columns id, label, group, and numbers that describe an image
    pooled: NDArray[np.float16]


@dataclass(frozen=True)
class PropertyShift:
    """A property of images: its means, and their difference in standard deviations of the run's images.

    None where those are all alike and the others are not, as with files of one size.
    """

    name: str
    own: float
    other: float
    difference: float | None


@dataclass(frozen=True)
class Shift:
    """How well a linear classifier tells other images from the run's own: AUC 0.5 if it can't, 1 if all of them differ.

    From `images` of either side, as many of each class; `properties` with the largest difference first. `why_not` is the reason
    for a missing AUC.
    """

    images: int
    told_apart: Estimate
    properties: list[PropertyShift]


def shift_of(own: Sample, other: Sample) -> Shift:
    """Compare other images with the run's own by a classifier two-sample test.

    Both sides get the same number of each class, so that a difference in the mix of classes does not count. A logistic regression
    on standardised principal components of pooled features is fitted on four fifths and scores the last fifth, whole groups at a
    time. Its AUC has DeLong's interval.

    Source:
        Lopez-Paz and Oquab 2017.
    """
    labels = sorted(set(own.images["label"]) & set(other.images["label"]))
    rows = [_same_mix(own.images, other.images, label) for label in labels]
    chosen = [np.concatenate([np.empty(0, np.int64), *(of_class[side] for of_class in rows)]) for side in (0, 1)]
    ours, theirs = own.images.iloc[chosen[0]], other.images.iloc[chosen[1]]
    count = len(ours)
    shifts = _property_shifts(ours, theirs) if count > 1 else []
    if count < _LEAST:
        why_not = f"the two sides share {count} images of the same classes, and the test needs {_LEAST}"
        return Shift(count, Estimate(None, why_not=why_not), shifts)
    features = np.concatenate([own.pooled[chosen[0]], other.pooled[chosen[1]]]).astype(np.float64)
    is_other = np.repeat([False, True], count)
    groups = [*(f"own {name}" for name in ours["group"]), *(f"other {name}" for name in theirs["group"])]
    if min(len(set(groups[:count])), len(set(groups[count:]))) < _PARTS:
        return Shift(count, Estimate(None, why_not=f"the test needs {_PARTS} groups of images on either side"), shifts)
    model = make_pipeline(
        StandardScaler(),
        PCA(min(_COMPONENTS, features.shape[1], count), svd_solver="full"),
        StandardScaler(),
        LogisticRegression(C=0.1, max_iter=1000),
    )
    folds = StratifiedGroupKFold(_PARTS, shuffle=True, random_state=0)
    scores = cross_val_predict(model, features, is_other, groups=groups, cv=folds, method="decision_function")
    return Shift(count, area_under_roc(is_other, np.asarray(scores, np.float64)), shifts)


def drawn_rows(ids: list[str], most: int = MOST) -> NDArray[np.int64]:
    """Up to `most` rows, (k,), as a hash of their ids draws them, in ascending order: the same ones each time."""
    order = sorted(range(len(ids)), key=lambda row: sha256(ids[row].encode()).hexdigest())
    return np.array(sorted(order[:most]), np.int64)


def _same_mix(own: pd.DataFrame, other: pd.DataFrame, label: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """As many rows of a class from either side."""
    rows = [np.flatnonzero((images["label"] == label).to_numpy()) for images in (own, other)]
    count = min(len(images) for images in rows)
    ours, theirs = (
        places[drawn_rows(list(side["id"].iloc[places]), count)] for side, places in zip((own, other), rows, strict=True)
    )
    return ours, theirs


def _property_shifts(own: pd.DataFrame, other: pd.DataFrame) -> list[PropertyShift]:
    shifts = []
    for name in own.columns.intersection(other.columns).drop(["id", "label", "group"]):
        spread, means = float(own[name].std()), (float(own[name].mean()), float(other[name].mean()))
        if spread > 1e-9:
            shifts.append(PropertyShift(str(name), *means, (means[1] - means[0]) / spread))
        elif abs(means[1] - means[0]) > 1e-9:
            shifts.append(PropertyShift(str(name), *means, None))
    return sorted(shifts, key=lambda shift: (-np.inf if shift.difference is None else -abs(shift.difference), shift.name))
