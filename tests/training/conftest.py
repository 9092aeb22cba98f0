"""Saved models of untrained heads, one for each precision."""

from pathlib import Path

import keras
import pytest

from cxr.config.schema import BackboneConfig
from cxr.model.network import build_network
from cxr.model.saved import save_model
from cxr.model.weights import PHANTOM_WEIGHTS, Weights


@pytest.fixture(scope="session")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of three classes and images (n, 32, 32, 1), by `training.precision`."""
    folder = tmp_path_factory.mktemp("saved")
    files = {name: folder / f"{name}.keras" for name in ("float32", "mixed_float16", "mixed_bfloat16")}
    for precision, path in files.items():
        keras.config.set_dtype_policy(precision)
        save_model(build_network(BackboneConfig(alpha=0.35, image_size=32), 3, Weights(path=PHANTOM_WEIGHTS)), path)
    keras.config.set_dtype_policy("float32")
    return files


@pytest.fixture
def model(saved_models: dict[str, Path]) -> Path:
    """The saved model in float32."""
    return saved_models["float32"]
