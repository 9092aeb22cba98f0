"""Which MLflow store keeps runs: checked without mlflow, made once under a lock."""

import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import urlopen

from filelock import FileLock

from cxr.config import TrackingConfig
from cxr.errors import Mistake

FOLDER = Path("mlruns")  # in the folder that the user is in
_PATIENCE = 60  # seconds that a writer waits while another writes
_SERVERS = ("http", "https", "databricks")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


@dataclass(frozen=True)
class Store:
    """An MLflow tracking URI; `folder` is where a local store lives, none for a server or database of the user's own."""

    uri: str
    folder: Path | None

    @property
    def is_remote(self) -> bool:
        """Whether the connection may be lost."""
        return not self.uri.startswith("sqlite")


def locate_store(tracking: TrackingConfig) -> Store:
    """The store that the config, else MLFLOW_TRACKING_URI, else this folder names; raises `Mistake` if it can't be used."""
    uri = tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        folder = FOLDER.resolve()
        return Store(uri=f"sqlite:///{folder / 'mlflow.db'}?timeout={_PATIENCE}", folder=folder)
    scheme = urlsplit(uri).scheme.split("+")[0]
    if scheme not in (*_SERVERS, *_DATABASES):
        raise Mistake(
            f"tracking store {uri!r} is not one that MLflow can write to: give http://HOST:PORT or sqlite:///FILE as "
            "tracking.uri or MLFLOW_TRACKING_URI, or neither for mlruns/mlflow.db"
        )
    if scheme in ("http", "https"):
        _check_server(uri)
    return Store(uri=uri, folder=None)


def store_with_runs(uri: str | None = None) -> Store:
    """The store to read runs from: the one of this address, else the one that runs go to here; raises `Mistake` if it has none."""
    store = locate_store(TrackingConfig(uri=uri))
    if store.folder is not None and not (store.folder / "mlflow.db").is_file():
        raise Mistake(f"there are no runs in {store.folder}: make one with cxr, or go to the folder that you ran it in")
    return store


def open_store(store: Store) -> None:
    """Make the store if it is not there and point mlflow at it.

    Several processes that open a fresh sqlite file at once break it, so the first one in makes it and the others wait.
    """
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")  # MLflow's own 7 wait minutes for a server that is gone
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    import logging

    import mlflow

    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it would tell of each retry
    told_by_user = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(store.uri)  # also sets the variable, which must keep saying what the user said
    if told_by_user is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    else:
        os.environ["MLFLOW_TRACKING_URI"] = told_by_user
    if store.folder is not None:
        store.folder.mkdir(exist_ok=True)
        with FileLock(store.folder / "mlflow.db.lock"):
            mlflow.search_experiments(max_results=1)


def experiment_id(store: Store, name: str) -> str:
    """The MLflow experiment of this name, made if need be; a local store keeps artifacts in its own folder."""
    import mlflow

    with FileLock(store.folder / "mlflow.db.lock") if store.folder else nullcontext():
        found = mlflow.get_experiment_by_name(name)
        location = (store.folder / "artifacts").as_uri() if store.folder else None
        if found is not None:
            if location and found.artifact_location != location:
                raise Mistake(
                    f"this store was moved: files of new runs would go to {found.artifact_location}; it can be read (compare, ui, "
                    "reproduce --from), so make new runs in another folder, or move it back"
                )
            return str(found.experiment_id)
        return mlflow.create_experiment(name, artifact_location=location)


def _check_server(uri: str) -> None:
    try:
        urlopen(f"{uri.rstrip('/')}/health", timeout=3).close()  # noqa: S310 (http or https: the caller looked)
    except (URLError, OSError, ValueError) as error:
        raise Mistake(
            f"no MLflow server answers at {uri} ({getattr(error, 'reason', error)}): start it, or correct tracking.uri or "
            "MLFLOW_TRACKING_URI"
        ) from None
