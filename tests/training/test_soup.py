"""Soups: the mean of weights, and only of those that lower the validation loss."""

from pathlib import Path

import numpy as np
import pytest

from cxr.errors import RunFailed
from cxr.model.network import Network
from cxr.training.checkpoint import assign, values_of
from cxr.training.fit import Watcher
from cxr.training.runtime import prepare_tensorflow
from cxr.training.soup import mix
from tests.conftest import Compose
from tests.training.test_fit import DATA, DEEP, LABELS, SMALL, fitted, loss_of, tiny_network


@pytest.fixture
def trained(tmp_path: Path, compose_config: Compose) -> tuple[Network, list[Path]]:
    """A network, and three files: it trained well, a little other than that, and with its head turned round."""
    config = compose_config(*SMALL, *DEEP, "training.epochs=4", "optimizer.learning_rate=0.05")
    prepare_tensorflow(config.training)
    network = tiny_network()
    fitted(config, network)
    good, files = values_of(network.classifier.weights), []
    rng = np.random.default_rng(0)
    versions = {
        "good": good,
        "alike": [value + rng.normal(0, 1e-4, value.shape).astype(value.dtype) for value in good],
        "bad": [*good[:-2], -good[-2], -good[-1]],
    }
    for name, values in versions.items():
        assign(network.classifier.weights, values)
        files.append(tmp_path / f"{name}.keras")
        network.classifier.save(files[-1])
    return network, files


def weights_of(network: Network, path: Path) -> list[np.ndarray]:
    """The weights in a file, which the network has from now on."""
    network.classifier.load_weights(path)
    return values_of(network.classifier.weights)


def stirred(network: Network, files: list[Path], compose_config: Compose) -> tuple[list[int], list[float], np.ndarray]:
    """How many had stayed after each, the validation losses, and predictions of all images."""
    config = compose_config(*SMALL, "loss=plain")
    result = mix(network, files, DATA, loss_of(config), config, Watcher())
    stayed = [int(epoch.metrics["soup/ingredients"]) for epoch in result.history.epochs]
    return stayed, result.history.losses, result.predict(np.arange(24))


def test_network_that_lowers_the_loss_is_averaged_and_no_other(
    trained: tuple[Network, list[Path]], compose_config: Compose
) -> None:
    network, (good, alike, bad) = trained
    first, second = weights_of(network, good), weights_of(network, alike)
    stayed, losses, probabilities = stirred(network, [good, bad, alike], compose_config)
    assert stayed[:2] == [1, 1]
    assert losses[1] > losses[0]
    kept = stayed[2] == 2
    assert kept == (losses[2] < losses[0])
    expected = [(a + b) / 2 for a, b in zip(first, second, strict=True)] if kept else first
    for ours, theirs in zip(values_of(network.classifier.weights), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)
    own = -np.log(probabilities[15:][np.arange(9), LABELS[15:]]).mean()
    assert own == pytest.approx(min(losses), rel=1e-3)


def test_ingredients_count_alike(trained: tuple[Network, list[Path]], compose_config: Compose, tmp_path: Path) -> None:
    """Heads on two sides of a better one: each lowers the loss, and the mean is the better one."""
    network, (good, *_) = trained
    best, files = weights_of(network, good), []
    rng = np.random.default_rng(1)
    sides = [rng.normal(0, 0.6, best[-2].shape).astype(np.float32) for _ in range(2)]
    for index, side in enumerate([sides[0], -sides[0]]):
        assign(network.classifier.weights, [*best[:-2], best[-2] + side, best[-1]])
        files.append(tmp_path / f"side{index}.keras")
        network.classifier.save(files[-1])
    stayed, losses, _ = stirred(network, files, compose_config)
    assert stayed == [1, 2]
    assert losses[1] < losses[0]
    np.testing.assert_allclose(values_of(network.classifier.weights)[-2], best[-2], atol=1e-5)


def test_diverged_network_does_not_stay(trained: tuple[Network, list[Path]], compose_config: Compose, tmp_path: Path) -> None:
    network, (good, alike, _) = trained
    first = weights_of(network, good)
    assign(network.classifier.weights, [*first[:-1], np.full_like(first[-1], np.nan)])
    network.classifier.save(tmp_path / "diverged.keras")
    stayed, losses, _ = stirred(network, [tmp_path / "diverged.keras", good, alike], compose_config)
    assert np.isnan(losses[0])
    assert stayed[:2] == [0, 1]
    assert all(np.isfinite(value).all() for value in values_of(network.classifier.weights))
    with pytest.raises(RunFailed, match="the validation loss of each network of this soup is not a finite number"):
        stirred(network, [tmp_path / "diverged.keras"] * 2, compose_config)


def test_file_that_does_not_fit_is_named(trained: tuple[Network, list[Path]], compose_config: Compose, tmp_path: Path) -> None:
    network, (good, *_) = trained
    (tmp_path / "broken.keras").write_bytes(b"no model")
    with pytest.raises(RunFailed, match=r"the weights in .*broken\.keras do not fit the others"):
        stirred(network, [good, tmp_path / "broken.keras"], compose_config)
