"""Predictions agree with the saved model, or are replaced by its predictions."""

from pathlib import Path

import numpy as np
import pytest

from cxr.config.schema import BackboneConfig, Config, EvaluationConfig
from cxr.data.split import Part
from cxr.model.network import build_network
from cxr.model.saved import load_model, save_model
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training.verify import ByPart, verify
from tests.data.test_views import IMAGES, rows_of

ROWS: dict[Part, np.ndarray] = {"val": np.arange(5), "test": np.arange(5, 20)}
CONFIG = Config(evaluation=EvaluationConfig(verified_images=4))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    save_model(build_network(BackboneConfig(alpha=0.35, image_size=32), 3, Weights(path=PHANTOM_WEIGHTS)), path)
    return path


@pytest.fixture
def right(model: Path) -> ByPart:
    """What the saved model says."""
    said = load_model(model).probabilities(IMAGES.astype(np.float32))
    return {part: said[rows] for part, rows in ROWS.items()}


def test_predictions_that_agree_stay_as_they_are(model: Path, right: ByPart) -> None:
    given = {part: values + 5e-5 for part, values in right.items()}
    found, verified = verify(model, rows_of(IMAGES), ROWS, given, CONFIG)
    assert verified.agreed
    assert verified.images == 4
    assert verified.largest == pytest.approx(5e-5, rel=0.1)
    assert found is given


@pytest.mark.parametrize("wrong", [2e-4, np.nan], ids=["by too much", "no number"])
def test_predictions_that_do_not_are_made_by_the_saved_model(wrong: float, model: Path, right: ByPart) -> None:
    given = {part: values + wrong for part, values in right.items()}
    found, verified = verify(model, rows_of(IMAGES), ROWS, given, CONFIG)
    assert not verified.agreed
    assert "made with the saved model" in verified.text
    for part in ROWS:
        np.testing.assert_allclose(found[part], right[part], atol=1e-6)


def test_every_image_can_be_asked_for(model: Path, right: ByPart) -> None:
    right["test"][7] += 0.01
    for count, agreed in ((1, True), (None, False)):
        config = Config(evaluation=EvaluationConfig(verified_images=count))
        assert verify(model, rows_of(IMAGES), ROWS, right, config)[1].agreed == agreed
