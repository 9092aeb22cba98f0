"""A model in other formats: the same probabilities for any number of images, and what is missing is known beforehand."""

from pathlib import Path

import keras
import numpy as np
import pytest

from cxr.config.schema import BackboneConfig
from cxr.model.network import build_network
from cxr.model.saved import load_model, save_model
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training import exported
from cxr.training.exported import FORMATS, Format, difference_of_precision, largest_difference

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1)).astype(np.uint8)


PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@pytest.fixture(scope="module", params=PRECISIONS)
def file(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    keras.config.set_dtype_policy(request.param)
    save_model(build_network(BackboneConfig(alpha=0.35, image_size=32), 3, Weights(path=PHANTOM_WEIGHTS)), path)
    keras.config.set_dtype_policy("float32")
    return path


@pytest.mark.parametrize("of", FORMATS, ids=lambda each: each.name)
def test_probabilities_are_keras_in_float32_for_any_number_of_images(of: Format, file: Path, tmp_path: Path) -> None:
    if not of.is_installed:
        pytest.skip(f"{of.name} is not installed")
    assert largest_difference(file, of, tmp_path, IMAGES) < 1e-5
    opened, grey = of.open(tmp_path / of.place), IMAGES[:2].astype(np.float32)
    expected = load_model(file, in_float32=True).probabilities(grey)
    np.testing.assert_allclose(opened(np.repeat(grey, 3, axis=-1)), expected, atol=1e-5)


def test_float32_is_the_same_network_whatever_it_was_trained_in(tmp_path: Path) -> None:
    weights, grey, found = Weights(path=PHANTOM_WEIGHTS), IMAGES.astype(np.float32), {}
    for precision in PRECISIONS:
        keras.config.set_dtype_policy(precision)
        save_model(build_network(BackboneConfig(alpha=0.35, image_size=32), 3, weights), tmp_path / f"{precision}.keras")
        keras.config.set_dtype_policy("float32")
        found[precision] = load_model(tmp_path / f"{precision}.keras", in_float32=True).probabilities(grey)
    for precision in PRECISIONS:
        np.testing.assert_allclose(found[precision], found["float32"], atol=1e-6)
    apart = {precision: difference_of_precision(tmp_path / f"{precision}.keras", IMAGES) for precision in PRECISIONS}
    assert apart["float32"] < 1e-6 < apart["mixed_float16"] < apart["mixed_bfloat16"]


def test_what_is_not_installed_is_known_before_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "find_spec", lambda name: None if name == "onnxruntime" else object())
    assert {each.name: each.is_installed for each in FORMATS} == {"OpenVINO": True, "ONNX": False}
