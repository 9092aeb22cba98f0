"""Fitting: phases, the best epoch kept, early stopping, plateaus, and every combination of options that a user can make."""

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.config import Config
from cxr.model.class_weights import class_weights, cost_matrix
from cxr.model.loss import make_loss
from cxr.model.network import Network, build_network
from cxr.model.weights import PHANTOM_WEIGHTS, Weights
from cxr.training.fit import Epoch, TrainingDiverged, TrainingSet, Watcher, fit, predict
from cxr.training.runtime import prepare_tensorflow
from tests.conftest import Compose

RNG = np.random.default_rng(0)
LABELS = np.arange(24) % 3
# Three classes that differ in brightness: learnable in a few steps.
IMAGES = np.clip(RNG.normal(60 + 60 * LABELS[:, None, None, None], 20, (24, 32, 32, 1)), 0, 255).astype(np.uint8)
DATA = TrainingSet(IMAGES, np.eye(3, dtype=np.float32)[LABELS], np.arange(15), np.arange(15, 24))
SMALL = ("backbone.image_size=32", "training.batch_size=8", "augment=none")


def trained(config: Config) -> tuple[Network, list[Epoch], int, list[tuple[str, int]]]:
    prepare_tensorflow(config.training)
    network = build_network(config.backbone, 3, Weights(path=PHANTOM_WEIGHTS))
    loss = make_loss(
        config.loss, class_weights(config.loss, [5, 5, 5]), cost_matrix(config.loss, ["COVID", "Normal", "Viral Pneumonia"])
    )
    phases: list[tuple[str, int]] = []
    seen: list[Epoch] = []
    watcher = Watcher(lambda phase, trainable: phases.append((phase.name, trainable)), on_epoch=seen.append)
    history = fit(network, DATA, loss, config, watcher)
    assert seen == history.epochs
    return network, history.epochs, history.best_epoch, phases


def probabilities(network: Network) -> NDArray[np.float64]:
    return predict(network.classifier, IMAGES, [np.arange(24)], 8)[0]


def test_warm_up_then_unfreeze(compose_config: Compose) -> None:
    overrides = ("freeze=top_block", "freeze.warmup_epochs=1", "training.epochs=3", "training.early_stopping_patience=null")
    network, epochs, best, phases = trained(compose_config(*SMALL, *overrides))
    assert [epoch.phase for epoch in epochs] == ["head warm-up", "fine-tuning", "fine-tuning"]
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert phases[0][1] == 1280 * 3 + 3
    assert phases[1][1] > 10 * phases[0][1]
    assert best in (2, 3)
    frozen = keras.applications.MobileNetV2(input_shape=(32, 32, 3), alpha=0.35, include_top=False, weights=str(PHANTOM_WEIGHTS))
    for name, same in (("block_15_project", True), ("block_16_project", False), ("block_16_project_BN", True)):
        ours, theirs = network.classifier.get_layer(name).get_weights()[0], frozen.get_layer(name).get_weights()[0]
        assert np.array_equal(ours, theirs) == same, name


def test_the_network_ends_with_the_weights_of_its_best_epoch(compose_config: Compose) -> None:
    overrides = (
        "training.epochs=6",
        "training.early_stopping_patience=2",
        "optimizer.learning_rate=0.3",
        "optimizer.schedule=constant",
    )
    network, epochs, best, _ = trained(compose_config(*SMALL, *overrides))
    losses = [epoch.metrics["val/loss"] for epoch in epochs]
    assert best == int(np.argmin(losses)) + 1
    p = probabilities(network)[15:]
    assert -np.log(p[np.arange(9), LABELS[15:]]).mean() == pytest.approx(min(losses), rel=1e-4)
    assert len(epochs) == min(6, best + 2)


@pytest.mark.parametrize("loss", ["plain", "balanced", "effective", "focal", "cost"])
def test_every_loss_learns(loss: str, compose_config: Compose) -> None:
    network, *_ = trained(compose_config(*SMALL, f"loss={loss}", "training.epochs=8", "optimizer.learning_rate=0.01"))
    assert (probabilities(network).argmax(axis=1) == LABELS).mean() > 0.8


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd", "rmsprop", "lion"])
@pytest.mark.parametrize("schedule", ["constant", "plateau"])
def test_every_optimizer_fine_tunes_and_its_rate_is_logged(optimizer: str, schedule: str, compose_config: Compose) -> None:
    overrides = (
        f"optimizer={optimizer}",
        f"optimizer.schedule={schedule}",
        "optimizer.plateau_patience=1",
        "optimizer.learning_rate=1e-9",
    )
    config = compose_config(
        *SMALL,
        "freeze=top_block",
        "freeze.warmup_epochs=0",
        "training.epochs=3",
        *overrides,
        "training.early_stopping_patience=null",
    )
    rates = [epoch.metrics["train/learning_rate"] for epoch in trained(config)[1]]
    assert rates[0] == pytest.approx(1e-9)
    assert min(rates) > 0
    if schedule == "constant":
        assert len(set(rates)) == 1


def test_a_plateau_lowers_both_rates(compose_config: Compose) -> None:
    overrides = ("freeze=top_block", "freeze.warmup_epochs=0", "optimizer.schedule=plateau", "optimizer.plateau_patience=1")
    fast = ("optimizer=sgd", "optimizer.learning_rate=1.0", "training.epochs=6", "training.early_stopping_patience=null")
    rates = [epoch.metrics["train/learning_rate"] for epoch in trained(compose_config(*SMALL, *overrides, *fast))[1]]
    assert rates[-1] in {0.5**n for n in range(1, 6)}


def test_a_loss_that_is_no_number_stops_the_run(compose_config: Compose) -> None:
    with pytest.raises(TrainingDiverged, match="lower optimizer.learning_rate"):
        trained(compose_config(*SMALL, "backbone.input_range=[-1e38,1e38]", "training.epochs=1"))


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_ends_in_float32_probabilities(precision: str, compose_config: Compose) -> None:
    network, *_ = trained(
        compose_config(*SMALL, "freeze=top_block", "freeze.warmup_epochs=0", "training.epochs=1", f"training.precision={precision}")
    )
    assert network.classifier.output.dtype == "float32"
    np.testing.assert_allclose(probabilities(network).sum(axis=1), 1)
    prepare_tensorflow(Config().training)  # back to float32 for the tests that follow
