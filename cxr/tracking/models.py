"""Models and datasets of a run as MLflow keeps them, and models to serve: written as folders, registered, and fetched."""

import json
import warnings
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from cxr.errors import UserError
from cxr.tracking.internals import SavedModel

LOADER = "cxr.predict.served"  # module that MLflow imports to load one
REGISTERED = "models:/"  # how an address in the registry begins
# What databases say where a run beside this one logged the same dataset at the same moment.
_TAKEN = ("UNIQUE constraint failed: datasets", "duplicate key value")


def log_dataset(run_id: str, name: str, digest: str, profile: Mapping[str, object]) -> None:
    """Log the manifest of a run as an MLflow dataset: a name, a fingerprint, and counts."""
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag
    from mlflow.exceptions import MlflowException

    source = json.dumps({"uri": f"runs:/{run_id}/data/manifest.csv"})
    dataset = Dataset(name, digest, "artifact", source, profile=json.dumps(profile))
    inputs = [DatasetInput(dataset, [InputTag("mlflow.data.context", "images")])]
    try:
        MlflowClient().log_inputs(run_id, inputs)
    except MlflowException as error:
        if not any(text in str(error) for text in _TAKEN):
            raise
        MlflowClient().log_inputs(run_id, inputs)  # MLflow looks for the dataset first, and now it is there


def log_model(run_id: str, file: str, image_size: int, class_count: int) -> None:
    """Log a `.keras` file as an MLflow model: float32 grey levels (n, size, size, 3) in, probabilities (n, classes) out."""
    import mlflow.keras
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, image_size, image_size, 3))]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, class_count))]),
    )
    needed = [f"{package}=={version(package)}" for package in ("keras", "numpy", "tensorflow")]
    # By itself MLflow would put the model into the experiment that is active, and none is.
    client = mlflow.MlflowClient()
    made = client.create_logged_model(client.get_run(run_id).info.experiment_id, name="model", source_run_id=run_id)
    place = {"name": "model", "run_id": run_id, "model_id": made.model_id}
    Model.log(None, mlflow.keras, **place, model=SavedModel(file), signature=signature, pip_requirements=needed)


def write_pyfunc(folder: Path, data: Path) -> None:
    """Write a folder that MLflow serves: `data` is copied below it. A request has a row for each image."""
    import mlflow.pyfunc
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    signature = ModelSignature(
        inputs=Schema([ColSpec("string", "image"), ColSpec("string", "name", required=False)]),
        params=ParamSchema([ParamSpec("point", "string", "argmax"), ParamSpec("gate", "boolean", True)]),
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(?s).*input example was not provided")  # the signature is checked by a test
        mlflow.pyfunc.save_model(
            folder, loader_module=LOADER, data_path=str(data), signature=signature, pip_requirements=[f"cxr=={version('cxr')}"]
        )


def register(folder: Path, name: str, alias: str | None, run_id: str, card: str, tags: dict[str, str]) -> int:
    """Put an exported folder into the registry of the open store, as the next version of `name`, whose number is returned.

    Raises:
        UserError: The registry rejects the name.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    client = mlflow.MlflowClient()
    try:
        if not client.search_registered_models(f"name = '{name.replace(chr(39), '')}'"):
            client.create_registered_model(name)
        client.log_artifacts(run_id, str(folder), "exported")
        source = f"{client.get_run(run_id).info.artifact_uri}/exported"
        made = client.create_model_version(name, source, run_id, tags=tags, description=card)
        if alias:
            client.set_registered_model_alias(name, alias, made.version)
    except MlflowException as error:
        raise UserError(f"the registry rejects {name}: {' '.join(str(error.message).split())[:200]}") from None
    return int(made.version)


def fetch_registered(address: str, folder: Path) -> Path:
    """A copy of a registered model, models:/NAME@ALIAS or models:/NAME/VERSION, below `folder`.

    Raises:
        UserError: The registry has none.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        return Path(mlflow.artifacts.download_artifacts(address, dst_path=str(folder)))
    except (MlflowException, OSError) as error:
        raise UserError(f"there is no {address} in the registry: {' '.join(str(error).split())[:200]}") from None
