"""A model in other formats: the same probabilities for any number of images, and what is missing is known beforehand."""

from pathlib import Path

import numpy as np
import pytest

from cxr.model.saved import load_model
from cxr.training import exported
from cxr.training.exported import FORMATS, Format, difference_of_precision, largest_difference

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 1)).astype(np.uint8)


@pytest.mark.parametrize("precision", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("of", FORMATS, ids=lambda of: of.name)
def test_probabilities_are_keras_in_float32_for_any_number_of_images(
    of: Format, precision: str, saved_models: dict[str, Path], tmp_path: Path
) -> None:
    if not of.is_installed:
        pytest.skip(f"{of.name} is not installed")
    file = saved_models[precision]
    assert largest_difference(file, of, tmp_path, IMAGES) < 1e-5
    opened, grey = of.open(tmp_path / of.place), IMAGES[:2].astype(np.float32)
    expected = load_model(file, in_float32=True).probabilities(grey)
    np.testing.assert_allclose(opened(np.repeat(grey, 3, axis=-1)), expected, atol=1e-5)


def test_network_in_float32_does_not_depend_on_its_precision(saved_models: dict[str, Path]) -> None:
    grey = IMAGES.astype(np.float32)
    expected = load_model(saved_models["float32"]).probabilities(grey)
    for file in saved_models.values():
        np.testing.assert_allclose(load_model(file, in_float32=True).probabilities(grey), expected, atol=1e-6)
    apart = {precision: difference_of_precision(file, IMAGES) for precision, file in saved_models.items()}
    assert apart["float32"] < 1e-6 < apart["mixed_float16"] < apart["mixed_bfloat16"]


def test_format_whose_packages_are_missing_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exported, "find_spec", lambda name: None if name == "onnxruntime" else object())
    assert {of.name: of.is_installed for of in FORMATS} == {"OpenVINO": True, "ONNX": False}
