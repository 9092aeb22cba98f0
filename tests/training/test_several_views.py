"""Test-time augmentation: the mean over views, of which the first is the image as it is."""

from pathlib import Path

import numpy as np
import pytest

from cxr.config.schema import BackboneConfig, Config, EvaluationConfig
from cxr.data.views import Viewer
from cxr.model.network import build_network
from cxr.model.saved import load_model, save_model
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training.several_views import VIEWS, mean_over_views
from tests.data.test_views import IMAGES, rows_of

ROWS = np.array([7, 2, 11])
HASHES = [f"{row:064x}" for row in range(len(IMAGES))]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    save_model(build_network(BackboneConfig(alpha=0.35, image_size=32), 3, Weights(path=PHANTOM_WEIGHTS)), path)
    return path


def over(model: Path, views: int, rows: np.ndarray = ROWS) -> np.ndarray:
    config = Config(evaluation=EvaluationConfig(views=views))
    return mean_over_views(model, rows_of(IMAGES), HASHES, rows, config)


def test_it_is_the_mean_of_what_the_saved_model_says_of_each_view(model: Path) -> None:
    saved, viewer = load_model(model), Viewer(rows_of(IMAGES), HASHES, VIEWS, 0)
    each = [saved.probabilities(viewer.see(ROWS, view)) for view in (None, 0, 1)]
    np.testing.assert_allclose(over(model, 1), each[0], atol=1e-5)
    np.testing.assert_allclose(over(model, 3), np.mean(each, axis=0), atol=2e-3)  # whole grey levels
    assert np.abs(each[1] - each[0]).max() > 1e-4


def test_an_image_has_the_same_views_whatever_stands_beside_it(model: Path) -> None:
    np.testing.assert_allclose(over(model, 3, ROWS[::-1])[::-1], over(model, 3), atol=1e-6)
