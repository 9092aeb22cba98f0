"""The network: flat, with preprocessing inside, blocks frozen by name, and different learning rates."""

from pathlib import Path

import keras
import numpy as np
import pytest

from cxr.config.schema import BackboneConfig, Config, FreezeConfig, OptimizerConfig
from cxr.model.backbones.mobilenet_v2 import BACKBONE as MOBILENET
from cxr.model.freeze import apply_freeze, first_layer, resolve_freeze_point
from cxr.model.network import Network, build_network
from cxr.model.optimizer import learning_rate, make_optimizer, single_optimizers
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from tests.conftest import Compose

BACKBONE = BackboneConfig(alpha=0.35, image_size=96, weights="phantom")
GREY = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def network() -> Network:
    return build_network(BACKBONE, 3, Weights(path=PHANTOM_WEIGHTS))


@pytest.mark.parametrize("bounds", [[-1.0, 1.0], [0.0, 1.0]])
def test_raw_grey_levels_are_scaled_inside(bounds: list[float]) -> None:
    built = build_network(BackboneConfig(alpha=0.35, image_size=96, input_range=bounds), 3, Weights(path=PHANTOM_WEIGHTS))
    features = keras.Model(built.classifier.input, built.classifier.get_layer("out_relu").output)
    plain = keras.applications.MobileNetV2(input_shape=(96, 96, 3), alpha=0.35, include_top=False, weights=str(PHANTOM_WEIGHTS))
    scaled = bounds[0] + GREY / 255 * (bounds[1] - bounds[0])
    np.testing.assert_allclose(features(GREY), plain(scaled), atol=1e-4)


def test_the_next_network_of_a_process_begins_as_the_first_did() -> None:
    first = build_network(BACKBONE, 3, Weights(path=PHANTOM_WEIGHTS), seed=5)
    before = [weight.copy() for weight in first.classifier.get_weights()]
    first.classifier.set_weights([weight + 1 for weight in before])
    again = build_network(BACKBONE, 3, Weights(path=PHANTOM_WEIGHTS), seed=5)
    np.testing.assert_equal(again.classifier.get_weights(), before)
    head = build_network(BACKBONE, 3, Weights(path=PHANTOM_WEIGHTS), seed=6).classifier.get_weights()[-2]
    assert not np.array_equal(head, before[-2])


@pytest.mark.parametrize("option", ["head", "last_block", "last_stage", "half", "all", "gradual", "from_scratch"])
def test_next_network_has_no_settings_of_the_one_before(option: str, compose_config: Compose) -> None:
    first = build_network(BACKBONE, 3, Weights(path=PHANTOM_WEIGHTS))
    before = [layer.get_config() for layer in first.classifier.layers]
    freeze = compose_config(f"freeze={option}", "training.epochs=5").freeze
    apply_freeze(first.trainee.operations, first.architecture, first_layer(freeze.trainable_from, first.described), freeze)
    assert [layer.get_config() for layer in first.classifier.layers] != before
    again = build_network(BACKBONE, 3, Weights(path=PHANTOM_WEIGHTS))
    assert again.classifier is first.classifier
    assert [layer.get_config() for layer in again.classifier.layers] == before


def test_the_saved_model_needs_no_code_of_ours(network: Network, tmp_path: Path) -> None:
    network.classifier.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again(GREY), network.classifier(GREY), atol=1e-6)
    np.testing.assert_allclose(keras.ops.softmax(network.trainee(GREY)), network.classifier(GREY), atol=1e-6)


@pytest.mark.parametrize("option", ["head", "last_block", "last_stage", "half", "all"])
def test_layers_below_the_boundary_are_frozen(option: str, network: Network, compose_config: Compose) -> None:
    freeze = compose_config(f"freeze={option}").freeze
    depth = resolve_freeze_point(freeze.trainable_from, network.described).name
    apply_freeze(network.trainee.operations, network.architecture, first_layer(depth, network.described), freeze)
    blocks = [*MOBILENET.blocks, "head"]
    trained = {MOBILENET.block_of(variable.path.split("/")[0]) or "head" for variable in network.trainee.trainable_variables}
    assert [block for block in blocks if block in trained] == blocks[blocks.index(depth) :]


def test_statistics_follow_as_fast_as_their_momentum(compose_config: Compose) -> None:
    network = build_network(BACKBONE, 3, Weights(path=PHANTOM_WEIGHTS))
    freeze = compose_config("freeze=from_scratch").freeze
    apply_freeze(network.trainee.operations, network.architecture, first_layer("all", network.described), freeze)
    before, after = (network.trainee.get_layer(name) for name in ("Conv1", "bn_Conv1"))
    seen = keras.ops.convert_to_numpy(keras.Model(network.trainee.input, before.output)(GREY)).mean(axis=(0, 1, 2))
    expected = 0.9 * keras.ops.convert_to_numpy(after.moving_mean) + 0.1 * seen
    network.trainee(GREY, training=True)
    np.testing.assert_allclose(after.moving_mean, expected, rtol=1e-4, atol=1e-4)


def test_batch_norm_trains_only_if_set_and_only_above_the_boundary(network: Network) -> None:
    def trained_batch_norms(policy: str) -> set[str]:
        apply_freeze(network.trainee.operations, network.architecture, "block_16_expand", FreezeConfig(batch_norm=policy))
        return {layer.name for layer in network.trainee.layers if "BatchNorm" in type(layer).__name__ and layer.trainable}

    assert trained_batch_norms("inference") == set()
    assert trained_batch_norms("train") == {"block_16_expand_BN", "block_16_depthwise_BN", "block_16_project_BN", "Conv_1_bn"}


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd", "rmsprop", "lion"])
def test_the_backbone_moves_at_its_own_rate(name: str, compose_config: Compose) -> None:
    config = compose_config(f"optimizer={name}", "optimizer.backbone_rate=0.1")
    options = config.optimizer
    inputs = keras.Input((2,))
    hidden = keras.layers.Dense(2, name="block_16_project", use_bias=False, kernel_initializer="ones")(inputs)
    model = keras.Model(inputs, keras.layers.Dense(2, name="logits", use_bias=False, kernel_initializer="ones")(hidden))
    optimizer = make_optimizer(config, model.trainable_variables, {"block_16_project": options.backbone_rate}, steps=10)
    gradients = [keras.ops.full(variable.shape, 0.5) for variable in model.trainable_variables]
    optimizer.apply(gradients, model.trainable_variables)
    backbone, head = (float(1 - np.asarray(variable)[0, 0]) for variable in model.trainable_variables)
    assert backbone / head == pytest.approx(options.backbone_rate, rel=1e-2)
    rates = [learning_rate(part) for part in single_optimizers(optimizer)]
    assert rates[1] / rates[0] == pytest.approx(options.backbone_rate)


def test_cosine_ends_at_nothing() -> None:
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1, name="logits")(inputs))
    optimizer = make_optimizer(
        Config(optimizer=OptimizerConfig(schedule="cosine", learning_rate=0.1)), model.trainable_variables, {}, steps=4
    )
    rates = []
    for _ in range(4):
        rates.append(learning_rate(optimizer))
        optimizer.apply([keras.ops.ones(v.shape) for v in model.trainable_variables], model.trainable_variables)
    assert rates == pytest.approx([0.1, 0.1 * (1 + np.cos(np.pi / 4)) / 2, 0.05, 0.1 * (1 - np.cos(np.pi / 4)) / 2], rel=1e-4)
    assert learning_rate(optimizer) == pytest.approx(0, abs=1e-8)
