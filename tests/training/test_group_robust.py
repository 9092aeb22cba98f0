"""Group-robust weights follow the paper's update, and balanced epochs have each source of a class as often as the others."""

import numpy as np
import pytest
import tensorflow as tf

from cxr.training.group_robust import GroupWeights, balanced, cells_of

LABELS = np.array([0] * 60 + [1] * 30)
SOURCES = np.array([0] * 50 + [1] * 10 + [2] * 30)
ROWS = np.arange(90)


def test_weights_rise_with_the_loss_as_in_algorithm_1() -> None:
    members = np.eye(3, dtype=np.float32)[[0, 0, 1, 2]]
    losses = np.array([1.0, 3.0, 0.5, 0.0], np.float32)
    groups = GroupWeights(members, step=0.5)
    loss = groups.loss(tf.constant(losses), tf.constant(members))
    raised = np.exp(0.5 * np.array([2.0, 0.5, 0.0])) / 3
    expected = raised / raised.sum()
    np.testing.assert_allclose(np.asarray(groups.weights.value), expected, rtol=1e-6)
    assert float(loss) == pytest.approx(float(expected @ [2.0, 0.5, 0.0]), rel=1e-6)


def test_group_without_an_image_in_the_batch_keeps_its_weight() -> None:
    members = np.eye(2, dtype=np.float32)[[0, 0]]
    groups = GroupWeights(np.eye(2, dtype=np.float32), step=0.1)
    groups.loss(tf.constant([0.0, 0.0]), tf.constant(members))
    np.testing.assert_allclose(np.asarray(groups.weights.value), [0.5, 0.5])


def test_cells_are_those_that_train() -> None:
    cells = cells_of(LABELS, SOURCES, ROWS[:80])
    assert cells.shape == (90, 3)
    assert cells.sum(axis=1).tolist() == [1] * 90
    assert cells_of(LABELS, SOURCES, ROWS[:55]).sum(axis=1)[60:].tolist() == [0] * 30  # a class that does not train


def test_balanced_epoch_keeps_classes_and_evens_out_sources() -> None:
    rows = balanced(ROWS, LABELS, SOURCES, seed=3, epoch=0)
    assert np.bincount(LABELS[rows]).tolist() == [60, 30]
    assert np.bincount(SOURCES[rows]).tolist() == [30, 30, 30]
    assert set(np.bincount(rows)[50:60]) == {3}  # each image of the small source as often as the others
    np.testing.assert_array_equal(rows, balanced(ROWS, LABELS, SOURCES, seed=3, epoch=0))
    assert set(rows) != set(balanced(ROWS, LABELS, SOURCES, seed=3, epoch=1))
