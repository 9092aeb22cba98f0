"""The partition: two parts that make the whole network, at every depth."""

import keras
import numpy as np
import pytest

from cxr.config.schema import BackboneConfig, FreezeConfig
from cxr.model.backbones.mobilenet_v2 import BACKBONE
from cxr.model.freeze import apply_freeze, first_layer
from cxr.model.network import Network, build_network
from cxr.model.partition import partition, weights_hash
from cxr.model.weights import PHANTOM_WEIGHTS, Weights


@pytest.fixture(scope="module")
def network() -> Network:
    return build_network(BackboneConfig(alpha=0.35, image_size=32), 3, Weights(path=PHANTOM_WEIGHTS))


@pytest.mark.parametrize("trainable_from", [*BACKBONE.blocks[1:], "head"])
def test_both_parts_together_are_the_whole_network(trainable_from: str, network: Network) -> None:
    grey = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)
    first = first_layer(trainable_from, network.described)
    apply_freeze(network.trainee.operations, network.architecture, first, FreezeConfig(batch_norm="train"))
    parts = partition(network, first)
    assert parts is not None
    assert parts.frozen.trainable_weights == []
    assert {weight.path for weight in parts.trainable.trainable_weights} == {w.path for w in network.trainee.trainable_weights}
    whole = keras.ops.convert_to_numpy(network.trainee(grey))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(parts.trainable(parts.frozen(grey))), whole)


def test_nothing_frozen_is_nothing_to_cut(network: Network) -> None:
    assert partition(network, "Conv1") is None


def test_under_the_head_lie_pooled_vectors(network: Network) -> None:
    parts = partition(network, "pooled")
    assert parts is not None
    assert (parts.boundary, parts.frozen.output.shape[1:]) == ("pooled", (1280,))


def test_the_hash_is_of_every_weight(network: Network) -> None:
    before = weights_hash(network.trainee)
    logits = network.trainee.get_layer("logits")
    kernel, bias = logits.get_weights()
    for changed in ([kernel, bias + 1e-6], [kernel[:, ::-1], bias]):
        logits.set_weights(changed)
        assert weights_hash(network.trainee) != before
    logits.set_weights([kernel, bias])
    assert weights_hash(network.trainee) == before
