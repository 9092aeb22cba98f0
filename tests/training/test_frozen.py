"""The frozen part: its cache key holds everything that its values depend on, and nothing else."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cxr.config.schema import Config
from cxr.data.views import Viewer
from cxr.model.freeze import first_layer
from cxr.model.network import Network, build_network
from cxr.model.partition import partition
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training.frozen import FrozenPart
from tests.conftest import Compose
from tests.data.test_views import HASHES, IMAGES, rows_of

SMALL = ("backbone.image_size=32", "freeze=last_stage", "augment=light", "engine=tensorflow")


def frozen(config: Config, change: Callable[[Network], None] = lambda network: None) -> FrozenPart:
    network = build_network(config.backbone, 3, Weights(path=PHANTOM_WEIGHTS), config.training.seed)
    change(network)
    parts = partition(network, first_layer(config.freeze.trainable_from, network.described))
    assert parts is not None
    return FrozenPart(parts, Viewer(rows_of(IMAGES), HASHES, config.augment, config.training.seed), config)


def add_to(layer: str) -> Callable[[Network], None]:
    """A change of the last weight of a layer, as small as can be."""

    def change(network: Network) -> None:
        weights = network.trainee.get_layer(layer).get_weights()
        weights[-1].flat[0] = np.nextafter(weights[-1].flat[0], np.float32(10), dtype=np.float32)
        network.trainee.get_layer(layer).set_weights(weights)

    return change


MATTERS = (
    *("backbone.image_size=64", "backbone.input_range=[0,1]", "freeze=last_block", "augment.rotation_degrees=8"),
    *("augment.translation=0.04", "augment.zoom=0.04", "augment.shear_degrees=1", "augment.brightness=0.1"),
    *("augment.contrast=0.1", "training.seed=1", "engine=openvino", "training.precision=mixed_float16"),
)
DOES_NOT_MATTER = (
    *("loss=focal", "optimizer=sgd", "split.seed=5", "training.batch_size=7", "training.epochs=11", "backbone.dropout=0.5"),
    *("freeze.warmup_epochs=1", "freeze.batch_norm=train", "augment.views=4", "augment.name=other", "evaluation.batch_size=3"),
)


@pytest.mark.parametrize(("override", "matters"), [(name, True) for name in MATTERS] + [(name, False) for name in DOES_NOT_MATTER])
def test_cache_key_depends_on_what_the_values_depend_on(override: str, matters: bool, compose_config: Compose) -> None:
    before, after = (frozen(compose_config(*SMALL, *more)).cache_key(0) for more in ((), (override,)))
    assert (before != after) == matters


def test_cache_key_depends_on_the_view(compose_config: Compose) -> None:
    part = frozen(compose_config(*SMALL))
    keys = [part.cache_key(view) for view in (None, 0, 1)]
    assert all(one != other for place, one in enumerate(keys) for other in keys[:place])


@pytest.mark.parametrize(
    ("layer", "matters"),
    [("Conv1", True), ("bn_Conv1", True), ("block_12_project_BN", True), ("block_13_expand", False), ("logits", False)],
)
def test_cache_key_depends_on_every_frozen_weight_and_no_other(layer: str, matters: bool, compose_config: Compose) -> None:
    config = compose_config(*SMALL)
    assert (frozen(config, add_to(layer)).cache_key(0) != frozen(config).cache_key(0)) == matters


def test_cache_key_of_unaugmented_images_does_not_depend_on_augmentation_or_seed(compose_config: Compose) -> None:
    others = ("augment=none", "training.seed=1", "augment=strong")
    keys = [frozen(compose_config(*SMALL, other)).cache_key(None) for other in others]
    assert keys == [frozen(compose_config(*SMALL)).cache_key(None)] * 3


def test_activations_of_any_number_of_images_come_in_order(compose_config: Compose) -> None:
    part = frozen(compose_config(*SMALL, "engine=auto"))
    every = np.concatenate(list(part.compute(np.arange(20), 0)))
    assert every.shape == (20, *part.shape)
    for rows in ([3], [19, 0, 7], list(range(8)), list(range(5, 14))):
        np.testing.assert_array_equal(np.concatenate(list(part.compute(np.array(rows), 0))), every[rows])
    many = replace(part.viewer, images=rows_of(np.concatenate([IMAGES] * 4)), hashes=HASHES * 4)
    part.viewer = many
    np.testing.assert_array_equal(np.concatenate(list(part.compute(np.arange(70), 0))), np.concatenate([every] * 4)[:70])
