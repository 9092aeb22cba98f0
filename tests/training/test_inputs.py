"""Activations: training on them equals training on images; each is computed once; it works without a disk."""

from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from cxr.cache.store import Cache
from cxr.config.schema import Config, TrainingConfig
from cxr.data.augment import view_of_epoch
from cxr.data.views import Viewer
from cxr.model.partition import partition
from cxr.training.engine import EngineUnusable
from cxr.training.fit import Fitted, Watcher, fit, shuffled
from cxr.training.frozen import FrozenPart
from cxr.training.history import FrozenWork
from cxr.training.inputs import Activations
from cxr.training.runtime import prepare_tensorflow
from tests.conftest import Compose
from tests.training.test_fit import DATA, bright, loss_of, phantom_network, tiny_network

SMALL = ("backbone.image_size=32", "training.batch_size=8", "training.early_stopping_patience=null", "augment=light")
VAL = DATA.val


def fitted(config: Config, cache: Cache | None) -> Fitted:
    prepare_tensorflow(config.training)
    return fit(tiny_network(), DATA, loss_of(config), config, Watcher(), cache=cache)


GENTLE = ("optimizer=sgd", "optimizer.schedule=constant", "optimizer.learning_rate=1e-3", "optimizer.momentum=0")


@pytest.mark.parametrize(
    "depth",
    [
        ("freeze=head",),
        pytest.param(("freeze=head", "engine=tensorflow"), marks=pytest.mark.slow),
        ("freeze=last_block", "freeze.warmup_epochs=0"),
        pytest.param(("freeze=last_stage", "freeze.warmup_epochs=0", "freeze.batch_norm=train"), marks=pytest.mark.slow),
        pytest.param(("freeze=half", "freeze.warmup_epochs=0", "engine=tensorflow"), marks=pytest.mark.slow),
        pytest.param(
            ("freeze=half", "freeze.trainable_from=expanded_conv", "freeze.warmup_epochs=0", "augment=none"), marks=pytest.mark.slow
        ),
        pytest.param(("freeze=all", "freeze.warmup_epochs=1"), marks=pytest.mark.slow),
    ],
    ids=["head", "head by TensorFlow", "last_block", "last_stage", "half by TensorFlow", "first block", "all"],
)
def test_cached_training_is_plain_training(depth: tuple[str, ...], compose_config: Compose, tmp_path: Path) -> None:
    """Equal up to the rounding of float32: another kernel may sum in another order, and the updates carry that on.

    They are small and plain here, since adam's first ones are of the learning rate's size whatever the gradient's: one of
    almost nothing may turn.
    """
    config, data = compose_config(*SMALL, *GENTLE, *depth, "backbone.image_size=64", "training.epochs=2"), bright(64)
    plain, cached = (
        fit(phantom_network(config), data, loss_of(config), config, Watcher(), cache=cache)
        for cache in (None, Cache(tmp_path / "cache", 10**9))
    )
    assert cached.frozen.computed > 0
    assert plain.frozen.computed == 0
    for one, other in zip(plain.history.epochs, cached.history.epochs, strict=True):
        assert other.metrics == pytest.approx(one.metrics, rel=1e-4, abs=1e-5)
    np.testing.assert_allclose(cached.predict(np.arange(24)), plain.predict(np.arange(24)), atol=1e-4)


def test_second_run_computes_nothing_and_is_the_same_to_the_bit(compose_config: Compose, tmp_path: Path) -> None:
    config = compose_config(
        *SMALL, "freeze=last_block", "freeze.warmup_epochs=1", "training.epochs=3", "training.deterministic=true"
    )
    cache = Cache(tmp_path / "cache", 10**9)
    first, second = fitted(config, cache), fitted(config, cache)
    # 15 training images in each of 3 epochs, and 9 validation images at both depths.
    assert first.frozen == FrozenWork(computed=15 * 3 + 9 * 2, found=0)
    assert second.frozen == FrozenWork(computed=0, found=15 * 3 + 9 * 2)
    assert second.history == first.history
    np.testing.assert_array_equal(second.predict(VAL), first.predict(VAL))


def work_of(config: Config, cache: Cache) -> FrozenWork:
    """What is computed and found by the epochs of a head, without training any."""
    prepare_tensorflow(TrainingConfig())  # the same weights each time
    parts = partition(tiny_network(), "pooled")
    assert parts is not None
    work, viewer = FrozenWork(), Viewer(DATA.images, DATA.hashes, config.augment, config.training.seed)
    activations = Activations(FrozenPart(parts, viewer, config), cache, lambda: nullcontext(lambda done, of: None), work)
    for epoch in range(config.training.epochs):
        activations.prepare(shuffled(DATA.train, config.training.seed, epoch), view_of_epoch(config.augment, epoch))
        activations.prepare(VAL, None)
    return work


@pytest.mark.parametrize(
    ("other", "computed"),
    [
        ("loss=focal", 0),
        ("optimizer=adamw", 0),
        ("augment.views=2", 0),  # views 0 and 1 are the first two fresh ones
        ("training.epochs=3", 15),
        ("augment=none", 15),
        ("training.seed=1", 2 * 15),
        ("training.epochs=5 augment.views=2", 0),  # views are taken in turn
    ],
)
def test_runs_share_what_they_can(other: str, computed: int, compose_config: Compose, tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", 10**9)
    assert work_of(compose_config(*SMALL, "training.epochs=2"), cache) == FrozenWork(computed=2 * 15 + 9, found=0)
    assert work_of(compose_config(*SMALL, "training.epochs=2", *other.split()), cache).computed == computed


@pytest.mark.parametrize("limit", [10**9, 100], ids=["on disk", "in memory"])
def test_tensorflow_computes_where_openvino_can_not(
    limit: int, compose_config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = (*SMALL, "freeze=head", "training.epochs=2", "training.deterministic=true")
    expected = fitted(compose_config(*overrides, "engine=tensorflow"), Cache(tmp_path / "cache", 10**9))
    lacks = EngineUnusable("OpenVINO can't compile it: No conversion rule found for operations: Erfc")
    monkeypatch.setattr("cxr.training.engine.compile_openvino", Mock(side_effect=lacks))
    messages: list[str] = []
    result = fitted(compose_config(*overrides, "engine=openvino"), Cache(tmp_path / "other", limit, messages.append))
    assert result.history == expected.history
    assert sum("Erfc: TensorFlow computes the frozen part" in message for message in messages) == 1


@pytest.mark.parametrize(
    ("augment", "limit", "in_memory"),
    [
        ("augment=light", 100, 2**20),
        pytest.param("augment=light", 100, 0, marks=pytest.mark.slow),
        # Room for the training images and not for the validation images, which are one view.
        pytest.param("augment=none", 800, 0, marks=pytest.mark.slow),
    ],
)
def test_training_without_room_on_disk_is_the_same(
    augment: str, limit: int, in_memory: int, compose_config: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = compose_config(*SMALL, augment, "freeze=head", "training.epochs=2", "training.deterministic=true")
    expected = fitted(config, Cache(tmp_path / "cache", 10**9))
    messages: list[str] = []
    monkeypatch.setattr("cxr.training.inputs._IN_MEMORY_BYTES", in_memory)
    without = fitted(config, Cache(tmp_path / "no room", limit, messages.append))
    assert without.history == expected.history
    np.testing.assert_array_equal(without.predict(VAL), expected.predict(VAL))
    (message,) = messages
    assert "are not kept" in message
    assert "raise training.cache_limit_gb" in message
