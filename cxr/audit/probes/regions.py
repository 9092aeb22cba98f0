"""How well the class is predicted from each region: by a linear probe that is fitted on it, and by the trained model."""

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from cxr.anatomy.backgrounds import backgrounds_of
from cxr.audit.linear_probe import (
    Floats,
    above_chance_retained,
    auc_draws,
    estimate_of,
    macro_auc,
    out_of_fold_probabilities,
)
from cxr.audit.regions import FILLS, REGIONS, Images, region_of
from cxr.audit.subject import Subject, TrainedModel, score_made
from cxr.cache.rows import Rows
from cxr.evaluation.estimates import Estimate, proportion

View = tuple[str, str]  # one of the `REGIONS`, and how the rest is filled
WHOLE: View = ("full", "mean")
_OTHER_BACKGROUNDS: View = ("other_surroundings", "mean")
_VIEWS = tuple(dict.fromkeys([*((region, "mean") for region in REGIONS), *(("lungs_removed", fill) for fill in FILLS)]))
_NO_HELD_OUT = "no held-out image is among those that were audited"
_CLASS_MISSING = "a class has no held-out image"


@dataclass(frozen=True)
class RegionResult:
    """One region: the macro AUC of a linear probe that is fitted on it, and that of the trained model with its accuracy.

    The trained model is scored on held-out images alone.
    """

    region: str
    fill: str
    probe: Estimate
    model_auc: Estimate
    model_accuracy: Estimate


@dataclass(frozen=True)
class RegionScores:
    """One view of the images: the model's probabilities (n, classes), pooled features (n, channels), and AUCs of a probe of these.

    `draws` are as `auc_draws` gives them; empty where no probe can be fitted.
    """

    probabilities: Floats
    pooled: NDArray[np.float32]
    draws: Floats


def score_regions(subject: Subject, model: TrainedModel) -> dict[View, RegionScores]:
    """Show the model each view of the images, and fit a probe on its features."""
    scores, target = dict[View, RegionScores](), subject.target
    for view in _VIEWS:
        probabilities, pooled = score_made(model, partial(_images_of, view, subject), subject.content, *view)
        draws = np.empty(0) if target.why_not else auc_draws(out_of_fold_probabilities(pooled, target), target)
        scores[view] = RegionScores(probabilities, pooled, draws)
    return scores


def _images_of(view: View, subject: Subject) -> Images:
    if view == _OTHER_BACKGROUNDS:
        return on_other_backgrounds(subject)
    return region_of(view[0], subject.images, subject.masks, view[1])


def on_other_backgrounds(subject: Subject) -> Images:
    """The lungs on the background of an image of another class, (n, size, size, 1), drawn the same every time.

    Images of one class stay as they are.
    """
    rows = np.arange(len(subject.labels))
    if len(set(subject.labels)) < 2:
        return subject.images
    whole = backgrounds_of(Rows.of(subject.images), rows, [f"{row:08d}" for row in rows], lambda some: subject.masks[some])
    rng = np.random.default_rng(0)
    drawn = np.zeros((len(rows), 3))
    for row, label in enumerate(subject.labels):
        others = np.flatnonzero(subject.labels != label)
        drawn[row] = (rng.choice(others) + 0.5) / len(rows), 0.5, 1.0  # with the exposure of its own
    return np.asarray(np.round(whole.put(subject.images.astype(np.float32), rows, drawn)), np.uint8)


def auc_on_other_backgrounds(subject: Subject, model: TrainedModel) -> float | None:
    """The macro AUC of the trained model on other backgrounds, 0 to 1; None where a class has no image."""
    if set(subject.labels) != set(range(len(subject.classes))):
        return None
    probabilities, _ = score_made(model, partial(on_other_backgrounds, subject), subject.content, _OTHER_BACKGROUNDS[0])
    return float(roc_auc_score(np.eye(len(subject.classes))[subject.labels], probabilities, average="macro"))


def region_result(view: View, scored: RegionScores, subject: Subject) -> RegionResult:
    """The result of a view of the images."""
    why_not, target = subject.target.why_not, subject.held_out_target
    probe = Estimate(None, why_not=why_not) if why_not else estimate_of(scored.draws)
    if not len(target.labels):
        lacking = Estimate(None, why_not=_NO_HELD_OUT)
        return RegionResult(*view, probe, lacking, lacking)
    probabilities = scored.probabilities[subject.held_out]
    right = int((probabilities.argmax(axis=1) == target.labels).sum())
    missing = len(set(target.labels)) < len(subject.classes)
    model_auc = Estimate(None, why_not=_CLASS_MISSING) if missing else macro_auc(probabilities, target)
    return RegionResult(*view, probe, model_auc, proportion(right, len(target.labels), _NO_HELD_OUT))


def retained_without_lungs(scores: dict[View, RegionScores], subject: Subject) -> dict[str, Estimate]:
    """The share of the probe's above-chance performance that is left without lungs, by how they are filled."""
    why_not = subject.target.why_not
    if why_not:
        return {fill: Estimate(None, why_not=why_not) for fill in FILLS}
    return {fill: above_chance_retained(scores["lungs_removed", fill].draws, scores[WHOLE].draws) for fill in FILLS}


def retained_on_other_backgrounds(scores: dict[View, RegionScores], subject: Subject) -> Estimate:
    """The share of the model's above-chance performance that is left on the background of another class, of held-out images."""
    target = subject.held_out_target
    if target.why_not or target.classes < len(subject.classes):
        return Estimate(None, why_not=target.why_not or _CLASS_MISSING)
    other, whole = (auc_draws(scores[view].probabilities[subject.held_out], target) for view in (_OTHER_BACKGROUNDS, WHOLE))
    return above_chance_retained(other, whole)
