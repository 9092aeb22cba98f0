"""Models for MLflow to serve: written as folders, registered under a name, and fetched from the registry."""

import warnings
from importlib.metadata import version
from pathlib import Path

from cxr.errors import UserError

LOADER = "cxr.predict.served"  # module that MLflow imports to load one
REGISTERED = "models:/"  # how an address in the registry begins


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
    """Put an exported folder into the registry of the open store, as the next version of `name`; returns its number."""
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
    """A copy of a registered model, models:/NAME@ALIAS or models:/NAME/VERSION, below `folder`; raises `UserError` for none."""
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        return Path(mlflow.artifacts.download_artifacts(address, dst_path=str(folder)))
    except (MlflowException, OSError) as error:
        raise UserError(f"there is no {address} in the registry: {' '.join(str(error).split())[:200]}") from None
