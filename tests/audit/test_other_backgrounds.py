"""Lungs on the background of another class: what the background predicts turns round, and what lungs predict stays."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cxr.audit.other_backgrounds import auc_on_other_surroundings, on_other_backgrounds
from cxr.audit.regions import Images
from cxr.audit.subject import Subject
from tests.audit.made import MeanModel, noise


class Reads(MeanModel):
    """Tells two classes by how bright a part of an image is."""

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


def test_a_model_that_reads_lungs_is_not_moved_and_one_that_reads_corners_is_turned_round() -> None:
    subject = bright_for_the_first_class()
    assert auc_on_other_surroundings(subject, Reads(slice(20, 28))) == 1.0
    assert (auc_on_other_surroundings(subject, Reads(slice(0, 4))) or 0) < 0.5


def test_lungs_stay_and_the_same_images_come_every_time() -> None:
    subject = noise(30)
    found = on_other_backgrounds(subject)
    np.testing.assert_array_equal(found, on_other_backgrounds(subject))
    middle = slice(18, 30)
    np.testing.assert_allclose(found[:, middle, middle], subject.images[:, middle, middle], atol=8)
    assert (found[:, :4] != subject.images[:, :4]).mean() > 0.9


def test_one_class_alone_keeps_its_images_and_has_no_number() -> None:
    subject = noise(12, classes=2)
    alone = replace(subject, labels=np.zeros(12, np.int64))
    np.testing.assert_array_equal(on_other_backgrounds(alone), subject.images)
    assert auc_on_other_surroundings(alone, MeanModel()) is None
