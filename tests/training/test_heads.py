"""Heads side by side: each ends as its training on its own would, to rounding."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from cxr.cache.store import Cache
from cxr.config.schema import Config
from cxr.model.losses.registry import Loss
from cxr.model.resolve import resolve
from cxr.training import checkpoint
from cxr.training.checkpoint import State
from cxr.training.fit import Watcher, fit
from cxr.training.heads import fit_heads
from cxr.training.history import Epoch, FrozenWork
from tests.conftest import Compose
from tests.training.test_fit import DATA, SMALL, loss_of, phantom_network

SHARED = (*SMALL, "freeze=head", "backbone.dropout=0.3", "training.epochs=4")
JOBS = (
    ("loss=focal", "optimizer=adam", "optimizer.learning_rate=0.02", "training.epochs=6"),
    ("loss=balanced", "optimizer=sgd", "loss.label_smoothing=0.1"),
    ("loss=plain", "optimizer=adam", "optimizer.schedule=plateau", "optimizer.plateau_patience=1", "optimizer.learning_rate=0.5"),
)
MORE = (
    ("loss=plain", "optimizer=adamw", "optimizer.learning_rate=0.3", "training.early_stopping_patience=1"),
    ("loss=cost", "optimizer=rmsprop", "optimizer.warmup_steps=3"),
    ("loss=plain", "optimizer=lion"),
)


def side_by_side(jobs: Sequence[tuple[Config, Loss]], cache: Cache) -> list[State | None]:
    return fit_heads(phantom_network(jobs[0][0]), DATA, jobs, cache, Watcher(), FrozenWork())


@pytest.mark.parametrize(
    ("augment", "chosen"), [("none", JOBS), pytest.param("light", JOBS + MORE, marks=pytest.mark.slow)], ids=["none", "light"]
)
def test_head_ends_as_it_would_alone(
    augment: str, chosen: tuple[tuple[str, ...], ...], compose_config: Compose, tmp_path: Path
) -> None:
    """And its job resumes from that state without another epoch."""
    composed = [compose_config(*SHARED, f"augment={augment}", *job) for job in chosen]
    configs, cache = [resolve(config).config for config in composed], Cache(tmp_path / "cache", 10**9)
    lengths = set()
    for config, state in zip(configs, side_by_side([(config, loss_of(config)) for config in configs], cache), strict=True):
        assert state is not None
        path, new_epochs = tmp_path / "state.npz", list[Epoch]()
        alone = fit(phantom_network(config), DATA, loss_of(config), config, Watcher(), path, cache).history
        expected = checkpoint.load(path)
        assert expected is not None
        assert state.history.best_epoch == alone.best_epoch
        assert [epoch.phase for epoch in state.history.epochs] == [epoch.phase for epoch in alone.epochs]
        for ours, theirs in zip(state.history.epochs, alone.epochs, strict=True):
            assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-4, abs=1e-5)
        for best, lone in zip(state.best, expected.best, strict=True):
            np.testing.assert_allclose(best, lone, rtol=1e-3, atol=1e-4)
        lengths.add(len(alone.epochs))

        checkpoint.save(state, path)
        network = phantom_network(config)
        resumed = fit(network, DATA, loss_of(config), config, Watcher(on_epoch=new_epochs.append), path, cache)
        assert (new_epochs, resumed.history) == ([], state.history)
        np.testing.assert_array_equal(network.trainee.get_layer("logits").kernel.value.numpy(), state.best[0])
        path.unlink()
    assert len(lengths) > 1  # some stop earlier than others


def test_loss_that_is_not_finite_harms_no_other_head(compose_config: Compose, tmp_path: Path) -> None:
    config = compose_config(*SHARED)
    loss = loss_of(config)

    def broken(targets: object, logits: object) -> object:
        return loss(targets, logits) * float("nan")

    diverged, other = side_by_side([(config, broken), (config, loss)], Cache(tmp_path, 10**9))
    assert diverged is None
    assert other is not None
    assert np.isfinite(other.best[0]).all()
    assert len(other.history.epochs) == config.training.epochs
