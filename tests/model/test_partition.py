"""The partition at its ends, and the hash of weights; `test_backbones.py` has both parts at every depth of each backbone."""

import pytest

from cxr.config.schema import BackboneConfig
from cxr.model.network import Network, build_network
from cxr.model.partition import partition, weights_hash
from cxr.model.weights import PHANTOM_WEIGHTS, Weights


@pytest.fixture(scope="module")
def network() -> Network:
    return build_network(BackboneConfig(alpha=0.35, image_size=32), 3, Weights(path=PHANTOM_WEIGHTS))


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
