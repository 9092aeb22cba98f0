"""A run that several modules share."""

from pathlib import Path

import pytest

from cxr.config.schema import PhantomConfig
from cxr.data.sources.phantom import ensure_drawn
from tests.conftest import Command


@pytest.fixture(scope="session")
def many_phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough phantoms for a gate: it needs 30 training and 30 validation images."""
    return ensure_drawn(PhantomConfig(count=220), tmp_path_factory.mktemp("many"), lambda done, total: None)


@pytest.fixture(scope="session")
def gated_run(tmp_path_factory: pytest.TempPathFactory, cxr_here: Command, many_phantoms: Path) -> Path:
    """A folder with one finished run, `then`, which has a gate. Tests add no other."""
    folder = tmp_path_factory.mktemp("gated")
    done = cxr_here(
        *("data=folder", f"data.root={many_phantoms}", "backbone=phantom", "split=three_way", "training.epochs=2", "audit=off"),
        *("tracking.run_name=then", "evaluation.resamples=100", "evaluation.pictures=false"),
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder
