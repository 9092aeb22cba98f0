"""A saved model gives the values of its own precision, whatever the process was set up for, and whatever is cached."""

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

from cxr.cache.store import Cache
from cxr.config.schema import BackboneConfig, Config, FreezeConfig, TrainingConfig
from cxr.model.freeze import HEAD
from cxr.training.trained_model import SavedTrainedModel, open_model

IMAGES = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 1)).astype(np.uint8)
LAYER = "block_8_project_BN"
PRECISIONS = ("float32", "mixed_float16", "mixed_bfloat16")


@pytest.fixture(autouse=True)
def _float32_again() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


def opened(file: Path, precision: str, of_process: str, cache: Cache | None = None) -> SavedTrainedModel:
    """A saved model of a precision, in a process that was set up for another."""
    backbone, training = BackboneConfig(alpha=0.35, image_size=32), TrainingConfig(precision=precision)
    keras.config.set_dtype_policy(of_process)
    return open_model(file, Config(backbone=backbone, freeze=FreezeConfig(trainable_from=HEAD), training=training), cache)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_values_do_not_depend_on_the_precision_of_the_process(precision: str, saved_models: dict[str, Path]) -> None:
    """And features beside probabilities are those that a gate is fitted on."""
    file = saved_models[precision]
    fitted_on = opened(file, precision, precision).features(IMAGES, LAYER)
    expected, features = opened(file, precision, "float32").score_and_features(IMAGES, LAYER)
    np.testing.assert_array_equal(features, fitted_on)
    probabilities, features = opened(file, precision, precision).score_and_features(IMAGES, LAYER)
    np.testing.assert_array_equal(features, fitted_on)
    np.testing.assert_array_equal(probabilities, expected)


def test_cached_features_are_of_the_same_precision(saved_models: dict[str, Path], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 10**9, print)
    features = {}
    for precision in PRECISIONS[1:]:
        file = saved_models[precision]
        features[precision] = opened(file, precision, precision, cache).score(IMAGES)[1]
        np.testing.assert_array_equal(features[precision], opened(file, precision, precision).score(IMAGES)[1])
    assert not np.array_equal(features["mixed_float16"], features["mixed_bfloat16"])
