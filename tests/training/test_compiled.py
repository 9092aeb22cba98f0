"""Compiled steps: a later job that differs in numbers alone traces nothing, and ends to the bit as it would have begun first."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr.config.schema import Config
from cxr.data.views import Viewer
from cxr.model import network as network_module
from cxr.model.class_weights import class_weights
from cxr.model.freeze import apply_freeze, first_layer
from cxr.model.losses.registry import Loss, make_loss
from cxr.model.network import Network, build_network
from cxr.model.optimizer import learning_rate, single_optimizers
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training import compiled, steps
from cxr.training.checkpoint import Arrays
from cxr.training.compiled import Compiled, compiled_for
from cxr.training.fit import Watcher, fit
from cxr.training.inputs import Images
from cxr.training.runtime import prepare_tensorflow
from tests.conftest import Compose
from tests.training.test_fit import DATA, SMALL, tiny_network
from tests.training.test_heads import cache_in

DEEP = (*SMALL, "freeze=last_block", "freeze.warmup_epochs=1", "training.epochs=2", "backbone.dropout=0.3", "loss=focal")
RATES = ("optimizer.schedule=cosine", "optimizer.warmup_steps=2", "optimizer.backbone_rate=0.1")
OTHER = (
    "training.seed=5",
    "optimizer.learning_rate=0.003",
    "optimizer.backbone_rate=0.5",
    "loss.focal_gamma=1.5",
    "loss.weighting=balanced",
    "loss.label_smoothing=0.1",
)


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """All functions that are compiled from now on, in a process that has built nothing."""
    made: list[Any] = []
    original = steps._compiled

    def counted(*given: Any, **more: Any) -> Any:
        made.append(original(*given, **more))
        return made[-1]

    monkeypatch.setattr(steps, "_compiled", counted)
    monkeypatch.setattr(compiled, "_kept", [])
    monkeypatch.setattr(network_module, "_latest", {})
    return made


def loss_of(config: Config) -> Loss:
    return make_loss(config.loss, class_weights(config.loss, [5, 9, 3]), np.ones((3, 3)))


def traces(made: list[Any]) -> int:
    return sum(each.experimental_get_tracing_count() for each in made)


def trained(config: Config, folder: Path) -> Arrays:
    """All that a job leaves: the weights, and its probabilities and pooled features of the validation images."""
    prepare_tensorflow(config.training)
    network = build_network(config.backbone, 3, Weights(path=PHANTOM_WEIGHTS), config.training.seed)
    found = fit(network, DATA, loss_of(config), config, Watcher(), cache=cache_in(folder))
    return [*network.classifier.get_weights(), found.predict(DATA.val), found.pooled(DATA.val)]


def test_jobs_that_differ_in_numbers_share_all_traces(compose_config: Compose, traced: list[Any], tmp_path: Path) -> None:
    first, second = compose_config(*DEEP, *RATES), compose_config(*DEEP, *RATES, *OTHER)
    alone = trained(second, tmp_path)
    network_module._latest.clear()
    compiled._kept.clear()
    traced.clear()
    before = trained(first, tmp_path)
    one_job = traces(traced)
    after = trained(second, tmp_path)
    again = trained(first, tmp_path)
    assert one_job == traces(traced) == 6  # head and block: updates and evaluation each; then probabilities and features
    for ours, theirs in ((after, alone), (again, before)):
        for pair in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(*pair)
    assert not all(np.array_equal(*pair) for pair in zip(before, after, strict=True))


def begun(network: Network, config: Config) -> Compiled:
    """The only phase of a job, before its first update."""
    first = first_layer(config.freeze.trainable_from, network.described)
    apply_freeze(network.trainee.operations, network.architecture, first, config.freeze)
    viewer = Viewer(DATA.images, DATA.hashes, config.augment, 0)
    return compiled_for(network, first, config, 9, loss_of(config), DATA.targets, None, lambda parts: Images(viewer), split=False)


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        ("optimizer.learning_rate=0.5", True),
        ("training.seed=7", True),
        ("optimizer=sgd", False),
        ("freeze.trainable_from=all", False),
        ("optimizer.clip_norm=1", False),
        ("loss=plain", False),
        ("optimizer.schedule=constant", False),
        ("augment.mixup=0.2", False),
        ("training.weight_average=0.9", False),
    ],
)
@pytest.mark.usefixtures("traced")
def test_jobs_share_steps_where_they_differ_in_numbers(other: str, shared: bool, compose_config: Compose) -> None:
    network = tiny_network()
    first, second = (begun(network, compose_config(*SMALL, *RATES, "loss=focal", *more)) for more in ((), (other,)))
    assert (first.optimizer is second.optimizer) == shared


@pytest.mark.usefixtures("traced")
def test_a_later_job_has_its_own_numbers_and_an_optimizer_as_new(compose_config: Compose) -> None:
    """Also where the schedules of an earlier job have ended, so that all rates of its optimizer are 0."""
    network = tiny_network()
    configs = [compose_config(*SMALL, "freeze=half", *RATES, f"optimizer.learning_rate={rate}") for rate in (0.1, 0.4)]
    kept = begun(network, configs[0]).optimizer
    expected = [0.2, 0.02]  # half of the rate in the first of two updates that rise; the backbone has a tenth
    for part in single_optimizers(kept):
        part.iterations.assign(9)
    assert [learning_rate(part) for part in single_optimizers(kept)] == pytest.approx([0, 0], abs=1e-6)
    again = begun(network, configs[1]).optimizer
    assert again is kept
    assert [learning_rate(part) for part in single_optimizers(again)] == pytest.approx(expected)


@pytest.mark.usefixtures("traced")
def test_only_phases_of_the_latest_network_are_kept(compose_config: Compose) -> None:
    config = compose_config(*SMALL)
    for _ in range(2):
        begun(tiny_network(), config)
    assert len(compiled._kept) == 1
    network = tiny_network()
    for clip in range(compiled._MOST + 2):
        begun(network, compose_config(*SMALL, f"optimizer.clip_norm={clip + 1}"))
    assert len(compiled._kept) == compiled._MOST
