"""One MLflow run: opened, filled under stable names, and always closed with the status it earned."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cxr.config import Config, settings
from cxr.tracking.store import Store, experiment_id, open_store


@dataclass(frozen=True)
class Run:
    """A run that is open; each method writes at once."""

    id: str
    name: str

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Numbers at a step; for metrics of an epoch the step is the global epoch."""
        import mlflow

        mlflow.log_metrics(dict(values), step=step)

    def log_folder(self, folder: Path) -> None:
        """Everything in a folder, as artifacts under the same names."""
        import mlflow

        mlflow.log_artifacts(str(folder))

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Tags that have a value."""
        import mlflow

        mlflow.set_tags({name: value for name, value in tags.items() if value is not None})

    def log_model(self, model: Any, image_size: int, class_count: int) -> None:
        """The Keras model as an MLflow model that can be served and registered: raw grey levels in, probabilities out."""
        import mlflow.keras
        import numpy as np
        from mlflow.models import ModelSignature
        from mlflow.types import Schema, TensorSpec

        signature = ModelSignature(
            inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, image_size, image_size, 3))]),
            outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, class_count))]),
        )
        needed = [f"{package}=={version(package)}" for package in ("keras", "numpy", "tensorflow")]
        mlflow.keras.log_model(model, name="model", signature=signature, pip_requirements=needed)


@contextmanager
def open_run(store: Store, config: Config, name: str, tags: Mapping[str, str | None]) -> Iterator[Run]:
    """Start a run with the config's scalars as params; it ends FINISHED, KILLED (interrupted) or FAILED with its reason."""
    import mlflow

    open_store(store)
    mlflow.start_run(experiment_id=experiment_id(store, config.tracking.experiment), run_name=name)
    active = mlflow.active_run()
    assert active is not None
    run = Run(active.info.run_id, name)
    try:
        run.set_tags(tags)
        mlflow.log_params(flat_params(config))
        yield run
    except KeyboardInterrupt:
        mlflow.end_run("KILLED")
        raise
    except BaseException as error:
        run.set_tags({"cxr.failure": f"{type(error).__name__}: {error}"[:5000]})
        mlflow.end_run("FAILED")
        raise
    mlflow.end_run("FINISHED")


def flat_params(config: Config) -> dict[str, str]:
    """The config's values by dotted key, as MLflow params; lists and mappings as JSON."""
    return {key: json.dumps(value) if isinstance(value, list | dict) else str(value) for key, value, _ in settings(config)}
