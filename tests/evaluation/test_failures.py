"""Failures: the most confident errors of each pair of classes, and no others."""

import numpy as np

from cxr.evaluation.failures import failures
from tests.evaluation.made import made, skilled


def test_mistakes_come_by_cell_most_confident_first_and_equal_ones_by_name() -> None:
    p = np.array([[0.2, 0.8, 0], [0.1, 0.9, 0], [0.1, 0.9, 0], [0.9, 0.1, 0], [0, 0.3, 0.7]])
    found = failures(made(np.array([0, 0, 0, 0, 1]), p), per_cell=2)
    assert [(each.id, each.label, each.predicted) for each in found] == [
        ("00001.png", "COVID", "Normal"),
        ("00002.png", "COVID", "Normal"),
        ("00004.png", "Normal", "Viral Pneumonia"),
    ]
    assert found[2].probabilities == {"COVID": 0, "Normal": 0.3, "Viral Pneumonia": 0.7}
    assert failures(made(np.array([0]), np.array([[1.0, 0, 0]])), 3) == []


def test_no_cell_has_more_than_asked_for() -> None:
    found = failures(skilled(1, skill=0.3), per_cell=3)
    kinds = [(each.label, each.predicted) for each in found]
    assert max(kinds.count(kind) for kind in kinds) == 3
    assert all(label != predicted for label, predicted in kinds)
