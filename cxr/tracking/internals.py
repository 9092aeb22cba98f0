"""The parts of MLflow that cxr uses and that MLflow does not document; `tests/tracking/test_internals.py` checks them.

MLflow is pinned to the minor version for which these were tested.
"""

import shutil
from dataclasses import dataclass
from typing import Any

SHARED_VIEW = "mlflow.sharedViewState."  # tag of an experiment: a view in the UI that all users see
TABLES = "mlflow.loggedArtifacts"  # tag of a run: the tables that the UI compares across runs
NOTE = "mlflow.note.content"  # tag of a run: what the UI shows first
USER = "mlflow.user"
DATABASE_LOGGER = "mlflow.store.db.utils"  # logs the traceback of each error that it raises
ABOUT = (NOTE, USER, "mlflow.source.name", "mlflow.source.type", TABLES)  # tags that hold in another store too


def tags_of_context(tags: dict[str, str]) -> dict[str, str]:
    """These tags, with those that MLflow's fluent interface gives a run: user, source, git commit."""
    from mlflow.tracking.context.registry import resolve_tags

    return dict(resolve_tags(tags))


@dataclass(frozen=True)
class SavedModel:
    """A `.keras` file in place of a model: `mlflow.keras` calls nothing of a model but `save`, and writes no second file."""

    file: str

    def save(self, path: str) -> None:
        """Copy the file to where MLflow wants it."""
        shutil.copy(self.file, path)


def scoring_app(folder: str) -> Any:
    """The ASGI application with which MLflow serves the model of a folder."""
    from mlflow.pyfunc import load_model, scoring_server

    return scoring_server.init(load_model(folder))
