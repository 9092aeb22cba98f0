"""A resumed training ends as if it had never stopped."""

from pathlib import Path

import numpy as np
import pytest

from cxr.config.schema import Config
from cxr.training.checkpoint import load
from cxr.training.fit import Watcher, fit
from cxr.training.history import Epoch, History
from cxr.training.runtime import prepare_tensorflow
from tests.conftest import Compose
from tests.training.test_fit import DATA, SMALL, loss_of, tiny_network

# Two phases, dropout, two learning rates, a schedule, early stopping: everything that has a state.
STATEFUL = ("freeze=last_block", "freeze.warmup_epochs=1", "training.epochs=3", "optimizer.learning_rate=0.05")


class CutOff(Exception):
    """Stands for the end of the process."""


def trained(config: Config, checkpoint: Path | None, cut_after: int | None = None) -> tuple[History, list[np.ndarray], list[int]]:
    """The history, final weights, and epochs trained in this attempt."""
    prepare_tensorflow(config.training)
    network, seen = tiny_network(dropout=0.5), []

    def on_epoch(epoch: Epoch) -> None:
        seen.append(epoch.number)
        if epoch.number == cut_after:
            raise CutOff

    history = fit(network, DATA, loss_of(config), config, Watcher(on_epoch=on_epoch), checkpoint).history
    return history, network.trainee.get_weights(), seen


@pytest.mark.parametrize(
    "overrides",
    [
        ("optimizer=sgd", "optimizer.schedule=plateau", "optimizer.plateau_patience=1"),
        pytest.param(
            ("optimizer=adamw", "training.early_stopping_patience=1", "optimizer.learning_rate=0.5"), marks=pytest.mark.slow
        ),
        ("augment.mixup=0.3", "training.weight_average=0.9", "optimizer.warmup_steps=3", "optimizer.clip_norm=0.5"),
        ("loss.group_robust=0.5", "training.sampling=source_balanced", "training.weight_average=0.9"),
    ],
    ids=["plateau", "early stopping", "adam, cosine, mixup, averages, warm-up, clipping", "group-robust"],
)
def test_training_cut_off_after_every_epoch_ends_the_same(
    overrides: tuple[str, ...], compose_config: Compose, tmp_path: Path
) -> None:
    config = compose_config(*SMALL, *STATEFUL, *overrides, "training.deterministic=true")
    whole, weights, numbers = trained(config, None)
    for number in numbers:
        with pytest.raises(CutOff):
            trained(config, tmp_path / "state.npz", cut_after=number)
    resumed, resumed_weights, seen = trained(config, tmp_path / "state.npz")
    assert seen == []  # each attempt added one epoch, so nothing was left to train
    assert resumed == whole
    assert all(np.array_equal(one, other) for one, other in zip(weights, resumed_weights, strict=True))


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 torn"], ids=["absent", "empty", "torn"])
def test_unreadable_checkpoint_is_none(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "state.npz"
    if content is not None:
        path.write_bytes(content)
    assert load(path) is None
