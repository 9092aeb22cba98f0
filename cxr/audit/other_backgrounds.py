"""The lungs of each image on the background of an image of another class: what a model still predicts then, it reads from lungs."""

from functools import partial

import numpy as np
from sklearn.metrics import roc_auc_score

from cxr.anatomy.backgrounds import backgrounds_of
from cxr.audit.region_scores import content_of, score_made
from cxr.audit.regions import Images
from cxr.audit.subject import Subject, TrainedModel
from cxr.cache.rows import Rows


def on_other_backgrounds(subject: Subject) -> Images:
    """The images on other backgrounds, drawn the same every time. Images of one class alone stay as they are."""
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


def auc_on_other_surroundings(subject: Subject, model: TrainedModel) -> float | None:
    """The macro AUC of the trained model on such images, 0 to 1; None where a class has no image."""
    if set(subject.labels) != set(range(len(subject.classes))):
        return None
    probabilities, _ = score_made(model, partial(on_other_backgrounds, subject), content_of(subject), "other_surroundings")
    return float(roc_auc_score(np.eye(len(subject.classes))[subject.labels], probabilities, average="macro"))
