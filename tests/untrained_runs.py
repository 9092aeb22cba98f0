"""Logged runs without training, in a store of their own."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from omegaconf import OmegaConf
from rich.console import Console

from cxr.config.compose import compose, typed
from cxr.config.schema import Config, TrackingConfig
from cxr.evaluation.predictions import Predictions
from cxr.progress import Progress
from cxr.run.identity.tags import run_tags
from cxr.run.prepared import PreparedRun, prepare
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.run import open_run
from cxr.tracking.search import runs_by_id
from cxr.tracking.store import locate_store, open_store

LogRun = Callable[..., tuple[LoggedRun, Config]]


@pytest.fixture(scope="session")
def log_run(tmp_path_factory: pytest.TempPathFactory, cache_home: Path) -> Iterator[LogRun]:
    """Log a run of these overrides, finished but never trained, in a store that the tests here share and work in."""
    from cxr.run.report.artifacts import record_inputs  # Keras takes seconds, and tests that log no run do without

    folder = tmp_path_factory.mktemp("untrained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("XDG_CACHE_HOME", str(cache_home))
        patch.setattr("cxr.run.report.artifacts.compute", lambda: {"threads": 2, "gpus": []})
        store = locate_store(TrackingConfig())

        def log(*overrides: str, name: str = "then", tags: dict[str, str | None] | None = None) -> tuple[LoggedRun, Config]:
            if not any(override.startswith("data=") for override in overrides):
                overrides = ("data.phantom.count=30", *overrides)
            composed, provenance = compose(overrides)
            prepared = prepare(typed(composed), provenance, Progress(Console(quiet=True)))
            open_store(store)  # a test may have opened another
            with open_run(store, prepared.config, name, run_tags(prepared) | (tags or {})) as run:
                record_inputs(run, prepared, folder / run.id / "inputs")
                write_guesses(prepared, folder / run.id / "results")
                run.log_folder(folder / run.id / "results")
            return runs_by_id([run.id])[run.id], prepared.config

        yield log


@pytest.fixture(scope="session")
def untouched(log_run: LogRun) -> LoggedRun:
    """One run for all tests here."""
    return log_run("freeze=last_block", "training.seed=3")[0]


@pytest.fixture
def run(untouched: LoggedRun) -> Iterator[LoggedRun]:
    """A run whose files a test may alter: afterwards they are again what they were."""
    folder = untouched.file("config/config.yaml").parents[1]
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    yield untouched
    shutil.rmtree(folder)
    for path, content in before.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def write_guesses(prepared: PreparedRun, folder: Path) -> None:
    """The results of a network that finds every class equally probable."""
    dataset, document = prepared.dataset, {}
    for name in ("evaluation", "predictions"):
        (folder / name).mkdir(parents=True)
    for part in (part for part in prepared.dataset.parts if part != "train"):
        rows = dataset.rows(part)
        same = np.full((len(rows), len(dataset.classes)), 1 / len(dataset.classes))
        paths = tuple(dataset.manifest["path"].iloc[rows])
        Predictions(paths, dataset.classes, dataset.labels[rows], same).to_csv(folder / f"predictions/{part}.csv")
        document[part] = {"classes": dataset.classes, "metrics": {"accuracy": 0.5}}
    (folder / "evaluation/metrics.json").write_text(json.dumps(document))


def say(run: LoggedRun, key: str, value: object) -> None:
    """Make a run's logged config say something else."""
    path = run.file("config/config.yaml")
    config = OmegaConf.load(path)
    OmegaConf.update(config, key, value, force_add=True)
    path.write_text(OmegaConf.to_yaml(config))


def leave_out(run: LoggedRun, key: str) -> None:
    """Make a run's logged config lack a setting, as one from before there was such a setting."""
    path = run.file("config/config.yaml")
    config = OmegaConf.load(path)
    group, _, leaf = key.rpartition(".")
    del OmegaConf.select(config, group)[leaf]
    path.write_text(OmegaConf.to_yaml(config))


def say_overrides(run: LoggedRun, *overrides: str) -> None:
    """Make a run's logged overrides these."""
    run.file("config/overrides.yaml").write_text(json.dumps(overrides))
