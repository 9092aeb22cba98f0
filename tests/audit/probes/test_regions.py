"""Lungs on the background of another class: a model that reads lungs keeps its AUC, one that reads the background loses it."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cxr.audit.probes.regions import auc_on_other_backgrounds, on_other_backgrounds
from cxr.audit.regions import Images
from cxr.audit.subject import Subject
from tests.audit.made import MeanModel, noise


class Reads(MeanModel):
    """Separates two classes by how bright a part of an image is."""

    def __init__(self, rows: slice) -> None:
        self.rows = rows

    def score(self, images: Images) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        bright = images[:, self.rows, self.rows].mean(axis=(1, 2, 3)) / 255
        return np.stack([bright, 1 - bright], axis=1), bright[:, None].astype(np.float32)


def bright_for_the_first_class() -> Subject:
    """In the lungs and outside of them."""
    subject = noise(60, classes=2)
    images = np.where((subject.labels == 0)[:, None, None, None], 200, 60).astype(np.uint8)
    return replace(subject, images=np.broadcast_to(images, subject.images.shape).copy())


def test_auc_is_kept_by_a_model_of_lungs_and_lost_by_one_of_corners() -> None:
    subject = bright_for_the_first_class()
    assert auc_on_other_backgrounds(subject, Reads(slice(20, 28))) == 1.0
    assert (auc_on_other_backgrounds(subject, Reads(slice(0, 4))) or 0) < 0.5


def test_lungs_stay_and_backgrounds_are_deterministic() -> None:
    subject = noise(30)
    placed = on_other_backgrounds(subject)
    np.testing.assert_array_equal(placed, on_other_backgrounds(subject))
    middle = slice(18, 30)
    np.testing.assert_allclose(placed[:, middle, middle], subject.images[:, middle, middle], atol=8)
    assert (placed[:, :4] != subject.images[:, :4]).mean() > 0.9


def test_single_class_keeps_its_images_and_has_no_auc() -> None:
    subject = noise(12, classes=2)
    alone = replace(subject, labels=np.zeros(12, np.int64))
    np.testing.assert_array_equal(on_other_backgrounds(alone), subject.images)
    assert auc_on_other_backgrounds(alone, MeanModel()) is None
