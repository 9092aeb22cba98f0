"""The contract of every backbone: flat, cut at every depth, computed by each engine, saved whole, and as its table has it."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from cxr.config.schema import BackboneConfig, FreezeConfig
from cxr.errors import UserError
from cxr.model.architecture import Architecture, read_architecture
from cxr.model.backbones import registry
from cxr.model.backbones.registry import LAYERS, backbone_names, backbone_of
from cxr.model.freeze import apply_freeze, first_layer, stage_of_layers
from cxr.model.grad_cam import grad_cam, saliency_maps
from cxr.model.network import Network, build_network
from cxr.model.partition import partition
from cxr.model.saved import load_model, save_model
from cxr.model.weights import Weights, locate_weights
from cxr.training.engine import BATCHES, Name, make_engine

NAMES = [name for name in backbone_names() if backbone_of(name) and name != "phantom"]
QUICK = ("mobilenet_v3_small",)  # the others in the slow tier
RNG = np.random.default_rng(0)


def config_of(name: str) -> BackboneConfig:
    """As small as the backbone allows."""
    return BackboneConfig(name=name, image_size=max(32, getattr(backbone_of(name), "smallest", 32)), weights="none")


@pytest.fixture(scope="module", params=[name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES])
def network(request: pytest.FixtureRequest) -> Iterator[Network]:
    keras.utils.set_random_seed(0)
    yield build_network(config_of(request.param), 3, Weights())
    keras.utils.clear_session()


def images_of(network: Network, count: int, channels: int) -> np.ndarray:
    size = network.trainee.input.shape[1]
    grey = RNG.integers(0, 256, (count, size, size, 1)).astype(np.float32)
    return np.repeat(grey, channels, axis=-1)


def test_table_of_layers_is_what_keras_builds(network: Network) -> None:
    """But multiply-adds, which the table has for the usual image size."""
    built = Architecture(network.architecture.layers[2 : network.architecture.places["pooled"]])
    expected = network.described.architecture
    assert [replace(layer, multiply_adds=0) for layer in built.layers] == [
        replace(layer, multiply_adds=0) for layer in expected.layers
    ]
    assert built.parameters == sum(weight.numpy().size for weight in network.trainee.weights[:-2])


def test_network_is_flat_and_every_layer_has_a_stage(network: Network) -> None:
    assert not [layer for layer in network.trainee.layers if isinstance(layer, keras.Model)]
    stages = stage_of_layers(network.described)
    assert set(stages) == {layer.name for layer in network.described.architecture.layers if layer.weights}
    assert set(stages.values()) == {*range(len(network.described.backbone.stages) + 1)}


def test_every_block_is_a_cut_and_both_parts_are_the_whole(network: Network) -> None:
    grey = images_of(network, 2, 3)
    whole = keras.ops.convert_to_numpy(network.trainee(grey))
    described = network.described
    for block in described.backbone.blocks[1:]:
        first = first_layer(block, described)
        assert described.backbone.block_of(first) in (block, None), "the cut lies at the end of another block"
    for depth in ("head", "last_block", "last_stage", "half", "stage_1"):
        first = first_layer(depth, described)
        apply_freeze(network.trainee.operations, network.architecture, first, FreezeConfig(batch_norm="train"))
        parts = partition(network, first)
        assert parts is not None
        assert parts.frozen.trainable_weights == []
        assert Counter(map(id, parts.trainable.trainable_weights)) == Counter(map(id, network.trainee.trainable_weights))
        joined = keras.ops.convert_to_numpy(parts.trainable(parts.frozen(grey)))
        np.testing.assert_allclose(joined, whole, atol=1e-5)


@pytest.mark.parametrize("engine", ["openvino", "tensorflow"])
def test_each_engine_computes_the_frozen_part(engine: Name, network: Network) -> None:
    parts = partition(network, first_layer("last_stage", network.described))
    assert parts is not None
    images = images_of(network, BATCHES[engine], 1)
    (activations,) = make_engine(engine, parts.frozen, "float32", 2)([images])
    expected = keras.ops.convert_to_numpy(parts.frozen(np.repeat(images, 3, axis=-1)))
    np.testing.assert_allclose(activations, expected, atol=1e-4 * max(1.0, float(np.abs(expected).max())))


def test_the_saved_model_takes_raw_grey_levels_and_has_a_map(network: Network, tmp_path: Path) -> None:
    save_model(network, tmp_path / "model.keras")
    saved, grey = load_model(tmp_path / "model.keras"), images_of(network, 2, 1)
    whole = keras.ops.convert_to_numpy(network.classifier(np.repeat(grey, 3, axis=-1)))
    np.testing.assert_allclose(saved.probabilities(grey), whole, atol=1e-5)
    maps = saliency_maps(grad_cam(saved), grey.astype(np.uint8), np.array([0, 2]))
    assert maps.shape[0] == 2
    assert np.isfinite(maps).all()


def test_the_backbone_of_a_saved_model_starts_another(network: Network, tmp_path: Path) -> None:
    save_model(network, tmp_path / "model.keras")
    config = BackboneConfig(
        name=network.described.name, image_size=config_of(network.described.name).image_size, weights=str(tmp_path / "model.keras")
    )
    begun = build_network(config, 4, locate_weights(config))
    np.testing.assert_equal(begun.trainee.get_weights()[:-2], network.trainee.get_weights()[:-2])


def test_training_does_not_change_what_is_frozen(network: Network) -> None:
    """Dropout inside a backbone would make its values in training others than those in use, and than those in the cache."""
    grey = images_of(network, 2, 3)
    apply_freeze(network.trainee.operations, network.architecture, "pooled", FreezeConfig())
    frozen = keras.Model(network.trainee.input, network.trainee.get_layer("pooled").output)
    used, trained = (keras.ops.convert_to_numpy(frozen(grey, training=training)) for training in (False, True))
    np.testing.assert_allclose(trained, used, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_pixels_are_those_of_keras_own_preprocessing(name: str) -> None:
    module = {
        "mobilenet_v2": keras.applications.mobilenet_v2,
        "densenet121": keras.applications.densenet,
        "resnet50_v2": keras.applications.resnet_v2,
        "xception": keras.applications.xception,
    }.get(name)
    known, grey = backbone_of(name), np.arange(0, 256, 5, dtype=np.float32)
    assert known is not None
    ours = grey[:, None] * np.array(known.pixels.scale) + np.array(known.pixels.offset)
    if module is not None:
        expected = module.preprocess_input(np.repeat(grey[:, None], 3, axis=1)[None])[0]
    else:  # these have it as layers of their own
        arguments = {"include_top": False, "weights": None, "include_preprocessing": True}
        made = getattr(keras.applications, known.application.rpartition(".")[2])(**arguments, input_shape=(64, 64, 3))
        first = [layer for layer in made.layers[1:4] if type(layer).__name__ in ("Rescaling", "Normalization")]
        image = np.broadcast_to(grey[:, None, None, None], (len(grey), 1, 1, 3)).copy()
        for layer in first:
            image = keras.ops.convert_to_numpy(layer(image))
        expected = image[:, 0, 0]
    np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.slow
def test_layers_without_a_table_are_found_in_a_process_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert registry._layers_as_built(QUICK[0]) == read_architecture(LAYERS / f"{QUICK[0]}.csv")
    with pytest.raises(UserError, match=r"backbone\.name=missing can't be built: .*KeyError"):
        registry._layers_as_built("missing")
