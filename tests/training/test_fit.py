"""Fitting: phases, the best epoch, early stopping, plateaus. Mostly on a network of three layers."""

import gc
import weakref
from typing import Any
from unittest.mock import Mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from cxr.config.costs import cost_matrix
from cxr.config.schema import Config, TrainingConfig
from cxr.errors import RunFailed, TrainingDiverged
from cxr.evaluation.roles import with_costs_by_class
from cxr.model.architecture import Architecture
from cxr.model.backbone import Backbone
from cxr.model.backbones.registry import Described
from cxr.model.class_weights import class_weights
from cxr.model.construction import architecture_of
from cxr.model.losses.registry import Loss, make_loss
from cxr.model.network import Network, build_network
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training.fit import Fitted, TrainingSet, Watcher, fit, shuffled
from cxr.training.history import Epoch
from cxr.training.runtime import prepare_tensorflow
from tests.conftest import Compose
from tests.data.test_views import rows_of


def bright(size: int, count: int = 24, trained: int = 15) -> TrainingSet:
    """Three classes that differ in brightness: learnable in a few steps. The first `trained` images train."""
    labels, rows = np.arange(count) % 3, np.arange(count)
    grey = np.random.default_rng(0).normal(60 + 60 * labels[:, None, None, None], 20, (count, size, size, 1))
    images, hashes = rows_of(np.clip(grey, 0, 255).astype(np.uint8)), [f"{row:064x}" for row in rows]
    targets, sources = np.eye(3, dtype=np.float32)[labels], np.zeros(count, np.int64)
    return TrainingSet(images, hashes, targets, rows[:trained], rows[trained:], sources)


DATA = bright(32)
LABELS = DATA.labels
CLASSES = ["COVID", "Normal", "Viral Pneumonia"]
SMALL = ("backbone.image_size=32", "training.batch_size=8", "augment=none", "training.early_stopping_patience=null")
DEEP = ("freeze=last_block", "freeze.warmup_epochs=0")


def tiny_network(dropout: float = 0.0) -> Network:
    """A backbone of two convolutions, Conv1 and block_16_project, and the real head."""
    images = keras.Input((32, 32, 3))
    scaled = keras.layers.Rescaling(1 / 127.5, offset=-1, name="to_input_range")(images)
    low = keras.layers.Conv2D(4, 5, strides=4, activation="relu", name="Conv1")(scaled)
    high = keras.layers.Conv2D(8, 3, activation="relu", name="block_16_project")(low)
    pooled = keras.layers.Dropout(dropout)(keras.layers.GlobalAveragePooling2D(name="pooled")(high))
    logits = keras.layers.Dense(3, name="logits", dtype="float32")(pooled)
    probabilities = keras.layers.Softmax(dtype="float32")(logits)
    layers = Architecture(architecture_of(keras.Model(images, high)).layers[2:])
    backbone = Backbone("tiny", "", str, stem="Conv1", stages=(("block_16_project",),))
    return Network(keras.Model(images, probabilities), keras.Model(images, logits), Described("tiny", backbone, layers))


def phantom_network(config: Config) -> Network:
    """The network of a config with the weights of the phantom backbone."""
    prepare_tensorflow(config.training)
    return build_network(config.backbone, 3, Weights(path=PHANTOM_WEIGHTS), config.training.seed)


def loss_of(config: Config) -> Loss:
    costs = cost_matrix(with_costs_by_class(config, CLASSES).loss.costs, CLASSES, "loss.costs")
    return make_loss(config.loss, class_weights(config.loss, [5, 5, 5]), costs)


def loss_on_validation(result: Fitted) -> float:
    """Mean cross-entropy of the predictions."""
    return float(-np.log(result.predict(DATA.val)[np.arange(9), LABELS[15:]]).mean())


def fitted(config: Config, network: Network | None = None) -> tuple[Fitted, list[tuple[str, int]]]:
    """The plain loop, and the phases with their numbers of trainable weights."""
    if network is None:
        prepare_tensorflow(config.training)
        network = tiny_network()
    phases: list[tuple[str, int]] = []
    seen: list[Epoch] = []
    watcher = Watcher(on_phase=lambda phase, trainable: phases.append((phase.name, trainable)), on_epoch=seen.append)
    result = fit(network, DATA, loss_of(config), config, watcher)
    assert seen == result.history.epochs
    return result, phases


def test_epoch_has_every_row_once_in_an_order_of_its_own() -> None:
    rows = np.array([1, 2, 3, 5, 8, 13, 14, 15])
    orders = [shuffled(rows, seed, epoch).tolist() for seed, epoch in ((0, 0), (0, 1), (1, 0), (0, 0))]
    assert all(sorted(order) == rows.tolist() for order in orders)
    assert orders[0] == orders[3]
    assert len({tuple(order) for order in orders}) == 3


def test_warm_up_then_fine_tuning_changes_the_trained_block_alone(compose_config: Compose) -> None:
    config = compose_config(*SMALL, "freeze=last_block", "freeze.warmup_epochs=1", "training.epochs=2")
    network = phantom_network(config)
    result, phases = fitted(config, network)
    assert [(epoch.number, epoch.phase) for epoch in result.history.epochs] == [(1, "head warm-up"), (2, "fine-tuning")]
    assert phases[0][1] == 1280 * 3 + 3
    assert phases[1][1] > 10 * phases[0][1]
    assert result.history.best_epoch == 2
    before = keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=str(PHANTOM_WEIGHTS))
    for name, same in (("block_15_project", True), ("block_16_project", False), ("block_16_project_BN", True)):
        layers = (model.get_layer(name).get_weights() for model in (network.classifier, before))
        for ours, theirs in zip(*layers, strict=True):
            assert np.array_equal(ours, theirs) == same, name


def test_gradual_unfreezing_trains_more_weights_in_each_phase(compose_config: Compose) -> None:
    steps = ("freeze=gradual", "freeze.gradual={head:1,last_block:1}", "freeze.trainable_from=all", "training.epochs=3")
    result, phases = fitted(compose_config(*SMALL, *steps))
    assert [name for name, _ in phases] == ["from head", "from last_block", "fine-tuning"]
    trained = [count for _, count in phases]
    assert trained == sorted(set(trained))
    assert len(result.history.epochs) == 3


def test_averaged_weights_are_validated_and_kept(compose_config: Compose) -> None:
    """With a decay of almost 1 the average lags behind, so what is kept is nearer to the beginning than without it."""
    overrides = (*SMALL, "training.epochs=3", "optimizer.learning_rate=0.05", "optimizer.schedule=constant")
    plain, averaged = (fitted(compose_config(*overrides, f"training.weight_average={decay}"))[0] for decay in (0, 0.99))
    losses = [result.history.losses for result in (plain, averaged)]
    assert losses[0][0] < losses[1][0]
    assert loss_on_validation(averaged) == pytest.approx(min(losses[1]), rel=1e-2)


def test_network_ends_with_the_weights_of_its_best_epoch(compose_config: Compose) -> None:
    overrides = ("training.epochs=20", "optimizer.learning_rate=10", "optimizer.schedule=constant")
    result, _ = fitted(compose_config(*SMALL, *overrides, "training.early_stopping_patience=2"))
    losses, best = result.history.losses, result.history.best_epoch
    assert best == int(np.argmin(losses)) + 1
    assert len(losses) == min(20, best + 2) < 20
    assert loss_on_validation(result) == pytest.approx(min(losses), rel=1e-2)


def test_phase_that_is_worse_than_its_warm_up_is_undone(compose_config: Compose) -> None:
    """At a rate that wrecks the backbone, the network ends as the warm-up left it."""
    more = ("freeze=last_block", "freeze.warmup_epochs=2", "training.epochs=4", "optimizer.backbone_rate=1")
    overrides = (*SMALL, *more, "optimizer.schedule=constant")
    improved, wrecked = (fitted(compose_config(*overrides, f"optimizer.learning_rate={rate}"))[0] for rate in (0.05, 2))
    assert not improved.history.undone
    assert wrecked.history.undone
    assert wrecked.history.best_epoch <= 2
    assert loss_on_validation(wrecked) == pytest.approx(min(wrecked.history.losses), rel=1e-2)


@pytest.mark.parametrize("loss", ["plain", "focal", "cost"])
def test_every_loss_learns(loss: str, compose_config: Compose) -> None:
    whole = ("freeze=all", "freeze.warmup_epochs=0", "training.epochs=25")
    overrides = (*whole, "optimizer.learning_rate=0.02", "optimizer.backbone_rate=1")
    result, _ = fitted(compose_config(*SMALL, f"loss={loss}", *overrides, "training.deterministic=true"))
    assert (result.predict(np.arange(24)).argmax(axis=1) == LABELS).mean() > 0.8


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "lion"])
def test_every_optimizer_fits_and_its_rate_is_logged(optimizer: str, compose_config: Compose) -> None:
    config = compose_config(*SMALL, *DEEP, f"optimizer={optimizer}", "training.epochs=2")
    first = config.optimizer.learning_rate
    assert [epoch.metrics["train/learning_rate"] for epoch in fitted(config)[0].history.epochs] == pytest.approx([first, first / 2])


def test_plateau_halves_the_rate_whenever_the_loss_does_not_fall(compose_config: Compose) -> None:
    still = ("optimizer=sgd", "optimizer.learning_rate=1e-12", "optimizer.schedule=plateau", "optimizer.plateau_patience=1")
    epochs = fitted(compose_config(*SMALL, *DEEP, *still, "training.epochs=4"))[0].history.epochs
    losses = [epoch.metrics["val/loss"] for epoch in epochs]
    halved = [loss >= min(losses[:number], default=np.inf) for number, loss in enumerate(losses)]
    expected = [1e-12 / 2 ** sum(halved[:number]) for number in range(4)]
    assert [epoch.metrics["train/learning_rate"] for epoch in epochs] == pytest.approx(expected)
    assert any(halved)


def test_loss_that_is_not_finite_stops_the_run(compose_config: Compose) -> None:
    wild = ("freeze=all", "freeze.warmup_epochs=0", "optimizer=sgd", "optimizer.learning_rate=10", "optimizer.backbone_rate=1")
    network = tiny_network()
    network.trainee.get_layer("Conv1").set_weights([np.full((5, 5, 3, 4), 1e30), np.zeros(4)])
    with pytest.raises(TrainingDiverged, match=r"lower optimizer\.learning_rate"):
        fitted(compose_config(*SMALL, *wild), network)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_ends_in_float32_probabilities(precision: str, compose_config: Compose) -> None:
    config = compose_config(*SMALL, *DEEP, "training.epochs=1", f"training.precision={precision}")
    prepare_tensorflow(config.training)
    network = tiny_network()
    result, _ = fitted(config, network)
    assert network.classifier.output.dtype == "float32"
    assert network.classifier.get_layer("Conv1").compute_dtype == precision.removeprefix("mixed_")
    np.testing.assert_allclose(result.predict(np.arange(24)).sum(axis=1), 1)
    prepare_tensorflow(TrainingConfig())  # back to float32 for the tests that follow


def test_graphs_of_an_earlier_training_are_freed(compose_config: Compose) -> None:
    from tensorflow.python.framework.func_graph import FuncGraph

    def graphs() -> list[Any]:
        return [graph for graph in gc.get_objects() if isinstance(graph, FuncGraph)]

    there = graphs()  # of a saved model that another test opened
    config = compose_config(*SMALL, "freeze=last_block", "freeze.warmup_epochs=1", "training.epochs=2")
    fitted(config)
    first = [weakref.ref(graph) for graph in graphs() if not any(graph is other for other in there)]
    assert first
    fitted(config)  # of another network
    prepare_tensorflow(config.training)  # as the next run would
    assert [graph.name for reference in first if (graph := reference()) is not None] == []


@pytest.mark.parametrize(
    "error",
    [
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor"),
        tf.errors.NotFoundError(None, None, "No algorithm worked! eng1{}: RESOURCE_EXHAUSTED: Out of memory"),
    ],
    ids=["TensorFlow", "cuDNN"],
)
def test_gpu_with_too_little_memory_is_named(error: Exception, compose_config: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxr.training.steps.Steps.train", Mock(side_effect=error))
    with pytest.raises(RunFailed, match=r"the GPU has too little memory for this training: lower training\.batch_size"):
        fitted(compose_config(*SMALL))
