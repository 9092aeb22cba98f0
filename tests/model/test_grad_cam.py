"""Grad-CAM on the flat graph, at any depth and size; the check by shuffled weights leaves every weight as it was."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cxr.config import BackboneConfig
from cxr.model.freeze import apply_freeze
from cxr.model.grad_cam import STAGES, camera, heat_maps, randomised
from cxr.model.network import Network, build_network
from cxr.model.weights import Weights

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module", params=[64, 96])
def network(request: pytest.FixtureRequest) -> Network:
    return build_network(BackboneConfig(alpha=0.35, image_size=request.param, weights="none"), 3, Weights())


def grey(network: Network, count: int) -> np.ndarray:
    size = network.classifier.input.shape[1]
    return RNG.integers(0, 256, (count, size, size, 1)).astype(np.uint8)


def test_for_a_linear_head_on_pooled_features_it_is_the_class_activation_map(network: Network) -> None:
    # Selvaraju et al. 2017, appendix A: then the weights of the maps are those of the class, by the number of places.
    films, classes = grey(network, 5), np.array([0, 1, 2, 1, 0])
    found = heat_maps(camera(network.classifier), films, classes)
    maps = keras.Model(network.classifier.input, network.classifier.get_layer("out_relu").output)
    features = maps(tf.repeat(tf.cast(films, tf.float32), 3, axis=-1), training=False).numpy()
    kernel = network.classifier.get_layer("logits").get_weights()[0]
    places = features.shape[1] * features.shape[2]
    expected = np.einsum("nyxc,nc->nyx", features, kernel[:, classes].T) / places
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.shape == (5, network.classifier.input.shape[1] // 32, network.classifier.input.shape[1] // 32)


@pytest.mark.parametrize("trainable_from", ["head", "block_16", "Conv1"])
def test_any_freeze_depth_has_the_same_maps(network: Network, trainable_from: str) -> None:
    films, classes = grey(network, 3), np.array([0, 1, 2])
    before = heat_maps(camera(network.classifier), films, classes)
    apply_freeze(network.classifier, trainable_from, "train")
    np.testing.assert_allclose(heat_maps(camera(network.classifier), films, classes), before, atol=1e-6)


def test_stages_shuffle_more_and_more_and_then_all_is_as_it_was(network: Network) -> None:
    before = [value.copy() for value in network.classifier.get_weights()]
    changed = []
    for name in randomised(camera(network.classifier)):
        now = network.classifier.get_weights()
        changed.append(sum(not np.array_equal(one, other) for one, other in zip(before, now, strict=True)))
        for one, other in zip(before, now, strict=True):
            np.testing.assert_array_equal(np.sort(one, axis=None), np.sort(other, axis=None))
        assert name in STAGES
    assert changed == sorted(changed)
    assert 1 <= changed[0] <= 2
    assert changed[1] > 10
    for one, other in zip(before, network.classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_weights_come_back_when_the_check_is_cut_off(network: Network) -> None:
    before = [value.copy() for value in network.classifier.get_weights()]
    stages = randomised(camera(network.classifier))
    next(stages)
    stages.close()  # type: ignore[attr-defined]
    for one, other in zip(before, network.classifier.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_of_another_kind_is_refused() -> None:
    images = keras.Input((8, 8, 3))
    with pytest.raises(ValueError, match="no feature map"):
        camera(keras.Model(images, keras.layers.Softmax()(keras.layers.Flatten()(images))))
    with pytest.raises(ValueError, match="softmax"):
        camera(keras.Model(images, keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(images)))))
