"""What cxr uses of MLflow beyond its documented interface, as the installed version has it."""

import tomllib
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import mlflow
import pytest
from mlflow.models import Model
from mlflow.store.db import utils
from mlflow.utils import mlflow_tags
from packaging.requirements import Requirement

from cxr.tracking import internals


def test_mlflow_is_of_the_versions_that_the_package_allows() -> None:
    project = tomllib.loads(Path(internals.__file__).parents[2].joinpath("pyproject.toml").read_text())["project"]
    (requirement,) = [entry for entry in map(Requirement, project["dependencies"]) if entry.name == "mlflow"]
    assert version("mlflow") in requirement.specifier


def test_database_logger_has_the_name_of_mlflow() -> None:
    assert utils._logger.name == internals.DATABASE_LOGGER


def test_tags_have_the_names_of_mlflow() -> None:
    names = {value for name, value in vars(mlflow_tags).items() if name.startswith("MLFLOW_")}
    assert {*internals.ABOUT} <= names


def test_shared_view_has_the_name_that_the_ui_reads() -> None:
    scripts = (Path(mlflow.__file__).parent / "server/js/build").rglob("*.js")
    assert any(internals.SHARED_VIEW in script.read_text() for script in scripts)


def test_tags_of_context_add_user_and_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "someone")
    tags = internals.tags_of_context({"cxr.role": "candidate"})
    assert tags["cxr.role"] == "candidate"
    assert tags[internals.USER] == "someone"
    assert tags["mlflow.source.type"] == "LOCAL"


def test_saved_model_is_all_that_mlflow_keras_calls(tmp_path: Path) -> None:
    import mlflow.keras

    (tmp_path / "model.keras").write_bytes(b"weights")
    mlflow.keras.save_model(
        internals.SavedModel(str(tmp_path / "model.keras")), str(tmp_path / "saved"), pip_requirements=["keras"]
    )
    assert (tmp_path / "saved/data/model.keras").read_bytes() == b"weights"


def test_scoring_app_is_an_application_of_starlette(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the parts that `cxr serve` changes."""
    monkeypatch.setattr("mlflow.pyfunc.load_model", lambda folder: SimpleNamespace(metadata=Model()))
    app = internals.scoring_app("a folder")
    assert {"/ping", "/invocations"} <= {route.path for route in app.routes if hasattr(route, "path")}
    assert isinstance(app.user_middleware, list)
    assert callable(app.add_middleware)
    assert callable(app.add_exception_handler)
