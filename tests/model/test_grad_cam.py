"""Grad-CAM on the flat graph, at any depth and size; the randomisation check restores every weight."""

from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from cxr.config.schema import BackboneConfig, FreezeConfig
from cxr.model.construction import architecture_of
from cxr.model.feature_maps import FeatureMaps
from cxr.model.freeze import apply_freeze
from cxr.model.grad_cam import STAGES, grad_cam, randomised, saliency_maps
from cxr.model.network import build_network
from cxr.model.saved import SavedModel, load_model, save_model
from cxr.model.weights import Weights

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module", params=[64, 96])
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SavedModel:
    network = build_network(BackboneConfig(alpha=0.35, image_size=request.param, weights="none"), 3, Weights())
    path = tmp_path_factory.mktemp("model") / "model.keras"
    save_model(network, path)
    return load_model(path)


def grey(saved: SavedModel, count: int) -> np.ndarray:
    size = saved.model.input.shape[1]
    return RNG.integers(0, 256, (count, size, size, 1)).astype(np.uint8)


def test_map_of_a_linear_head_on_pooled_features_is_the_class_activation_map(saved: SavedModel) -> None:
    # Selvaraju et al. 2017, appendix A: then the weights of the maps are those of the class, by the number of places.
    images, classes = grey(saved, 5), np.array([0, 1, 2, 1, 0])
    maps = saliency_maps(grad_cam(saved), images, classes)
    body = keras.Model(saved.model.input, saved.model.get_layer("out_relu").output)
    features = body(tf.repeat(tf.cast(images, tf.float32), 3, axis=-1), training=False).numpy()
    kernel = saved.model.get_layer("logits").get_weights()[0]
    places = features.shape[1] * features.shape[2]
    expected = np.einsum("nyxc,nc->nyx", features, kernel[:, classes].T) / places
    np.testing.assert_allclose(maps, expected, atol=1e-5)


@pytest.mark.parametrize("first", ["pooled", "block_16_expand", "Conv1"])
def test_any_freeze_depth_has_the_same_maps(saved: SavedModel, first: str) -> None:
    images, classes = grey(saved, 3), np.array([0, 1, 2])
    before = saliency_maps(grad_cam(saved), images, classes)
    apply_freeze(saved.model.operations, architecture_of(saved.model), first, FreezeConfig(batch_norm="train"))
    np.testing.assert_allclose(saliency_maps(grad_cam(saved), images, classes), before, atol=1e-6)


def test_stages_shuffle_more_and_more_and_then_all_is_as_it_was(saved: SavedModel) -> None:
    before = [value.copy() for value in saved.model.get_weights()]
    changed = []
    for name in randomised(grad_cam(saved)):
        now = saved.model.get_weights()
        changed.append(sum(not np.array_equal(one, other) for one, other in zip(before, now, strict=True)))
        for one, other in zip(before, now, strict=True):
            np.testing.assert_array_equal(np.sort(one, axis=None), np.sort(other, axis=None))
        assert name in STAGES
    assert changed == sorted(changed)
    assert 1 <= changed[0] <= 2
    assert changed[1] > 10
    np.testing.assert_equal(saved.model.get_weights(), before)


def test_maps_of_a_stage_are_kept_for_a_run_with_another_head(saved: SavedModel) -> None:
    """As computed again: maps are kept by the weights below them, and not by the stage alone."""
    images, classes, network = grey(saved, 4), np.array([0, 1, 2, 0]), grad_cam(saved)

    def stages() -> list[np.ndarray]:
        return [saliency_maps(network, images, classes) for _ in randomised(network)]

    stages()
    logits = saved.model.get_layer("logits")
    logits.set_weights([2 * value[..., ::-1] for value in logits.get_weights()])
    kept = stages()
    first = next(layer for layer in saved.model.layers if layer.weights)
    first.set_weights([1.5 * value for value in first.get_weights()])
    saved.weights_changed()
    others = stages()
    first.set_weights([value / 1.5 for value in first.get_weights()])
    saved.weights_changed()
    saved._parts.maps = FeatureMaps()
    for one, again, other in zip(kept, stages(), others, strict=True):
        size = np.abs(again).max()
        np.testing.assert_allclose(one / size, again / size, rtol=0, atol=1e-4)
        assert np.abs(one - other).max() > 0.01 * size


def test_weights_come_back_when_the_check_is_cut_off(saved: SavedModel) -> None:
    before = [value.copy() for value in saved.model.get_weights()]
    stages = randomised(grad_cam(saved))
    next(stages)
    stages.close()  # type: ignore[attr-defined]
    np.testing.assert_equal(saved.model.get_weights(), before)


def test_a_model_of_another_kind_is_refused(tmp_path: Path) -> None:
    images = keras.Input((8, 8, 3))
    flat = keras.layers.Softmax()(keras.layers.Dense(2)(keras.layers.Flatten()(images)))
    convolved = keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(images)))
    for number, output in enumerate((flat, convolved)):
        keras.Model(images, output).save(tmp_path / f"{number}.keras")
        model = load_model(tmp_path / f"{number}.keras")
        assert model.probabilities(np.ones((2, 8, 8, 1), np.float32)).shape == (2, 2)
        with pytest.raises(ValueError, match="no feature map that logits and a softmax follow"):
            grad_cam(model)
