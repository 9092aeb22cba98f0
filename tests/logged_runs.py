"""Finished runs with predictions, made without any training."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.entities import Run
from numpy.typing import NDArray

from cxr.config.compose import compose, typed
from cxr.config.schema import Config, LossConfig, SplitConfig, TrackingConfig
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.roles import with_costs_by_class
from cxr.model.resolve import resolve
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.run import open_run
from cxr.tracking.search import runs_by_id
from cxr.tracking.store import Store, locate_store, open_store

CLASSES = ("COVID", "Normal", "Viral Pneumonia")
MakeRun = Callable[..., LoggedRun]


def fold(number: int) -> SplitConfig:
    """The split of one of three folds."""
    return SplitConfig(name="kfold", method="folds", folds=3, fold=number)


def predicted(seed: int, skill: float, count: int = 90) -> Predictions:
    """What a model of some skill says of the same images whatever the seed."""
    labels = np.arange(count) % 3
    logits = np.random.default_rng(seed).normal(0, 1, (count, 3))
    logits[np.arange(count), labels] += skill
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Predictions(tuple(f"{CLASSES[label]}/{index:03d}.png" for index, label in enumerate(labels)), CLASSES, labels, p)


def only(predictions: Predictions, chosen: NDArray[np.bool_]) -> Predictions:
    """Of some images."""
    ids = tuple(np.array(predictions.ids)[chosen])
    return Predictions(ids, predictions.classes, predictions.labels[chosen], predictions.probabilities[chosen])


@pytest.fixture
def fresh_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """This test's own store, open, in the folder that the test is in."""
    monkeypatch.chdir(tmp_path)
    return opened()


@pytest.fixture(scope="module")
def shared_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store for all tests of a file, open."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("shared"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        yield opened()


def opened() -> Store:
    """A new store in the folder that the process is in, open."""
    store = locate_store(TrackingConfig())
    open_store(store)
    return store


@pytest.fixture
def make_run(tmp_path: Path, fresh_store: Store) -> MakeRun:
    """Log a run in this test's own store: name, skill, role, fingerprint of its split; of a fold, only its share of the images.

    With a `preset` it has that preset's config. `tags` and `metrics` are further ones.
    """

    def make(
        name: str,
        skill: float = 1.0,
        role: str = "candidate",
        split: str = "s",
        loss: str = "plain",
        seed: int = 1,
        fold: SplitConfig | None = None,
        training_seed: int = 0,
        preset: str | None = None,
        overrides: tuple[str, ...] = (),
        tags: dict[str, str] | None = None,
        metrics: dict[str, float] | None = None,
    ) -> LoggedRun:
        test, val = predicted(seed, skill), predicted(seed + 1000, skill, 120)
        all_images = [*test.ids, *([f"apart for {fold.source}"] if fold and fold.source else [])]
        if fold is not None:
            turn = "ab".index(fold.source) if fold.source else fold.fold
            test = only(test, np.arange(len(test.ids)) // 3 % fold.folds == turn)
        files = tmp_path / "files" / name
        for folder in ("evaluation", "predictions", "data", "config"):
            (files / folder).mkdir(parents=True, exist_ok=True)
        test.to_csv(files / "predictions/test.csv")
        replace(val, ids=tuple(f"val/{path}" for path in val.ids)).to_csv(files / "predictions/val.csv")
        document = {
            part: {"classes": CLASSES, "metrics": {"accuracy": float((of_part.predicted == of_part.labels).mean())}}
            for part, of_part in (("val", val), ("test", test))
        }
        (files / "evaluation/metrics.json").write_text(json.dumps(document))
        pd.DataFrame({"path": all_images, "group": all_images, "sha256": all_images, "label": "x"}).to_csv(
            files / "data/manifest.csv", index=False
        )
        (files / "config/overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
        named = dict(override.split("=") for override in overrides if "." not in override)
        (files / "config/choices.yaml").write_text(yaml.safe_dump(named))
        usual = {"cxr.role": role, "cxr.judged_on": "test", "cxr.data_fingerprint": "d", "cxr.split_fingerprint": split}
        config = Config(loss=LossConfig(name=loss, focal_gamma=2.0 * (loss == "focal")))
        if preset:
            config = with_costs_by_class(resolve(typed(compose([f"experiment={preset}"])[0])).config, CLASSES)
            choices = {"experiment": preset, "data": "phantom", "backbone": "phantom"}
            (files / "config/choices.yaml").write_text(yaml.safe_dump(choices))
        config = replace(config, split=fold or SplitConfig())
        config.training.seed = training_seed
        with open_run(fresh_store, config, name, usual | (tags or {})) as run:
            run.log_folder(files)
            run.log_metrics(metrics or {})
        return runs_by_id([run.id])[run.id]

    return make


def runs_in(folder: Path, query: str = "") -> list[Run]:
    """Runs of the store in a folder that an MLflow filter lets through, latest first; mlflow then uses this store."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlruns/mlflow.db")
    return list(mlflow.search_runs(search_all_experiments=True, filter_string=query, output_format="list"))


def artifacts_of(run: Run) -> Path:
    """The folder of a run's artifacts in a local store."""
    return Path(str(run.info.artifact_uri).removeprefix("file://"))


def dataset_profile(run: Run) -> dict[str, Any]:
    """The counts of the manifest that a run logged as its MLflow dataset."""
    assert run.inputs is not None
    (logged,) = run.inputs.dataset_inputs
    counts: dict[str, Any] = json.loads(str(logged.dataset.profile))
    return counts
