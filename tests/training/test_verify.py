"""Predictions agree with the saved model, or are replaced by its predictions."""

from pathlib import Path

import numpy as np
import pytest

from cxr.config.schema import Config, EvaluationConfig
from cxr.data.parts import Part
from cxr.model.saved import load_model
from cxr.training.verify import ByPart, verify
from tests.data.test_views import IMAGES, rows_of

ROWS: dict[Part, np.ndarray] = {"val": np.arange(5), "test": np.arange(5, 20)}
CONFIG = Config(evaluation=EvaluationConfig(verified_images=4))


@pytest.fixture
def right(model: Path) -> ByPart:
    """Probabilities of the saved model."""
    probabilities = load_model(model).probabilities(IMAGES.astype(np.float32))
    return {part: probabilities[rows] for part, rows in ROWS.items()}


def test_predictions_that_agree_are_returned(model: Path, right: ByPart) -> None:
    predicted = {part: values + 5e-5 for part, values in right.items()}
    returned, verified = verify(model, rows_of(IMAGES), ROWS, predicted, CONFIG)
    assert (verified.agreed, verified.images) == (True, 4)
    assert verified.largest == pytest.approx(5e-5, rel=0.1)
    assert returned is predicted


@pytest.mark.parametrize("wrong", [2e-4, np.nan], ids=["by too much", "no number"])
def test_predictions_that_differ_are_replaced(wrong: float, model: Path, right: ByPart) -> None:
    predicted = {part: values + wrong for part, values in right.items()}
    returned, verified = verify(model, rows_of(IMAGES), ROWS, predicted, CONFIG)
    assert not verified.agreed
    assert "made with the saved model" in verified.text
    for part in ROWS:
        np.testing.assert_allclose(returned[part], right[part], atol=1e-6)


def test_number_of_verified_images_is_a_setting(model: Path, right: ByPart) -> None:
    right["test"][7] += 0.01
    for count, agreed in ((1, True), (None, False)):
        config = Config(evaluation=EvaluationConfig(verified_images=count))
        assert verify(model, rows_of(IMAGES), ROWS, right, config)[1].agreed == agreed
