"""Predictions survive their file."""

from pathlib import Path

import numpy as np

from cxr.evaluation.predictions import Predictions
from tests.evaluation.made import skilled


def test_predictions_survive_their_file_to_the_last_bit(tmp_path: Path) -> None:
    predictions = skilled(0, 60, classes=("COVID", "Normal", "NA"))
    shuffled = predictions.only(np.random.default_rng(0).permutation(60))
    shuffled.to_csv(tmp_path / "test.csv")
    again = Predictions.from_csv(tmp_path / "test.csv", predictions.classes)
    assert again.ids == predictions.ids
    np.testing.assert_array_equal(again.labels, predictions.labels)
    np.testing.assert_array_equal(again.probabilities, predictions.probabilities)
    assert (tmp_path / "test.csv").read_text().startswith("id,label,predicted,p_covid,p_normal,p_na\n")
