"""Failures: the most confident errors of each pair of classes, and no others."""

import numpy as np

from cxr.evaluation.failures import failures
from tests.evaluation.made import made


def test_failures_are_by_cell_most_confident_first_then_by_name() -> None:
    p = np.array([[0.2, 0.8, 0], [0.1, 0.9, 0], [0.1, 0.9, 0], [0.9, 0.1, 0], [0, 0.3, 0.7]])
    errors = failures(made(np.array([0, 0, 0, 0, 1]), p), per_cell=2)
    assert [(error.id, error.label, error.predicted) for error in errors] == [
        ("00001.png", "COVID", "Normal"),
        ("00002.png", "COVID", "Normal"),
        ("00004.png", "Normal", "Viral Pneumonia"),
    ]
    assert errors[2].probabilities == {"COVID": 0, "Normal": 0.3, "Viral Pneumonia": 0.7}
    assert failures(made(np.array([0]), np.array([[1.0, 0, 0]])), 3) == []
