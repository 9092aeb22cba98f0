"""Test-time augmentation: the mean over views, of which the first is the image as it is."""

from pathlib import Path

import numpy as np

from cxr.config.schema import Config, EvaluationConfig
from cxr.data.views import Viewer
from cxr.model.saved import load_model
from cxr.training.several_views import VIEWS, mean_over_views
from tests.data.test_views import HASHES, IMAGES, rows_of

ROWS = np.array([7, 2, 11])


def over(model: Path, views: int, rows: np.ndarray = ROWS) -> np.ndarray:
    return mean_over_views(model, rows_of(IMAGES), HASHES, rows, Config(evaluation=EvaluationConfig(views=views)))


def test_mean_over_views_is_that_of_the_saved_model(model: Path) -> None:
    saved, viewer = load_model(model), Viewer(rows_of(IMAGES), HASHES, VIEWS, 0)
    by_view = [saved.probabilities(viewer.see(ROWS, view)) for view in (None, 0, 1)]
    np.testing.assert_allclose(over(model, 1), by_view[0], atol=1e-5)
    np.testing.assert_allclose(over(model, 3), np.mean(by_view, axis=0), atol=2e-3)  # whole grey levels
    assert np.abs(by_view[1] - by_view[0]).max() > 1e-4


def test_views_of_an_image_do_not_depend_on_others(model: Path) -> None:
    np.testing.assert_allclose(over(model, 3, ROWS[::-1])[::-1], over(model, 3), atol=1e-6)
