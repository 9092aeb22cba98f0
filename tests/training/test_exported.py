"""A model in other formats: the same probabilities for any number of images, and what is missing is known beforehand."""

from pathlib import Path

import numpy as np
import pytest

from cxr.config.schema import BackboneConfig
from cxr.model.network import build_network
from cxr.model.saved import load_model, save_model
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training import exported
from cxr.training.exported import FORMATS, Format, largest_difference

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1)).astype(np.uint8)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    save_model(build_network(BackboneConfig(alpha=0.35, image_size=32), 3, Weights(path=PHANTOM_WEIGHTS)), path)
    return path


@pytest.mark.parametrize("of", FORMATS, ids=lambda each: each.name)
def test_probabilities_are_keras_for_any_number_of_images(of: Format, file: Path, tmp_path: Path) -> None:
    if not of.is_installed:
        pytest.skip(f"{of.name} is not installed")
    assert largest_difference(file, of, tmp_path, IMAGES) < 1e-5
    opened, grey = of.open(tmp_path / of.place), IMAGES[:2].astype(np.float32)
    np.testing.assert_allclose(opened(np.repeat(grey, 3, axis=-1)), load_model(file).probabilities(grey), atol=1e-5)


def test_what_is_not_installed_is_known_before_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "find_spec", lambda name: None if name == "onnxruntime" else object())
    assert {each.name: each.is_installed for each in FORMATS} == {"OpenVINO": True, "ONNX": False}
