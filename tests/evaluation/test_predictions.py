"""Predictions survive a round trip through their file."""

from pathlib import Path

import numpy as np
import pytest

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


@pytest.mark.parametrize("broken", ["nan", "-0.2", "7"])
def test_number_that_is_not_a_probability_is_refused(broken: str, tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text(f"id,label,predicted,p_a,p_b\n1.png,a,a,0.5,{broken}\n")
    with pytest.raises(ValueError, match=r"test.csv has numbers that are not probabilities"):
        Predictions.from_csv(tmp_path / "test.csv", ("a", "b"))
