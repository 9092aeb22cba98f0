"""What tests of a whole run share: a run by its overrides, a count of trained epochs, and a disk that is full."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest
from omegaconf import DictConfig
from rich.console import Console

from cxr.config.compose import compose, typed
from cxr.config.provenance import Provenance
from cxr.errors import RunFailed
from cxr.progress import Progress
from cxr.run.identity.attempt import RunResult
from cxr.run.prepared import PreparedRun, prepare
from cxr.run.start import run_experiment
from tests.conftest import blank_figures


@cache
def composed(*overrides: str) -> tuple[DictConfig, Provenance]:
    """Compose once what many tests need: Hydra takes a quarter of a second."""
    return compose(overrides)


def prepared_run(*overrides: str) -> PreparedRun:
    """The run of these overrides, prepared."""
    config, provenance = composed(*overrides)
    return prepare(typed(config), provenance, Progress(Console(quiet=True)))


def do_run(*overrides: str) -> RunResult:
    """Do the run of these overrides as a process of its own would do it."""
    config, provenance = composed(*overrides)
    with blank_figures():
        return run_experiment(typed(config), provenance, Progress(Console(quiet=True)))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has an item for each epoch that was trained."""
    from cxr.training.steps import Steps  # imports Keras

    epochs: list[int] = []
    train = Steps.train

    def counted(self: Steps, *arguments: Any) -> Any:
        epochs.append(1)
        return train(self, *arguments)

    monkeypatch.setattr(Steps, "train", counted)
    return epochs


@contextmanager
def broken(place: str) -> Iterator[pytest.ExceptionInfo[Exception]]:
    """A function finds the disk full within the block, which fails for that."""
    failing = pytest.raises((RunFailed, OSError), match="No space left on device")
    with pytest.MonkeyPatch.context() as patch, failing as failure:
        patch.setattr(place, breaking)
        yield failure


def breaking(*_: object, **__: object) -> None:
    """Stands in a test for a function that finds the disk full."""
    raise OSError(28, "No space left on device")
