"""The MLflow store: located and checked without mlflow, created once under a lock."""

import os
import socket
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from filelock import FileLock

from cxr.config.schema import TrackingConfig, WorkConfig
from cxr.errors import UserError
from cxr.system import expanded
from cxr.text import in_shell
from cxr.tracking.internals import DATABASE_LOGGER
from cxr.tracking.usable import check_address, check_database, check_folder, check_work, deleted_experiment

OFFLINE = "offline"  # in the work folder: stores of single machines
FOLDER = Path("mlruns")  # in the folder that the user is in
_PATIENCE = 60  # seconds that a writer waits while another writes
_SERVERS = ("http", "https", "databricks")
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


@dataclass(frozen=True)
class Store:
    """An MLflow tracking URI; `folder` is that of a local store, None for a server or another database.

    `work` is the folder of what is under way: checkpoints, plans of sweeps, results that wait for a server.
    """

    uri: str
    folder: Path | None
    work: Path = FOLDER

    @property
    def is_of_this_machine(self) -> bool:
        """Whether other machines have stores of their own in its place."""
        return self.folder is not None and self.folder.parent.name == OFFLINE

    @property
    def is_remote(self) -> bool:
        """Whether the connection may be lost."""
        return not self.uri.startswith("sqlite")


def work_folder(work: WorkConfig) -> Path:
    """The folder of what is under way: `work.dir`, or `mlruns` in the folder that the user is in."""
    return expanded(work.dir) if work.dir else FOLDER


def names_server(tracking: TrackingConfig) -> bool:
    """Whether runs go to a server, which may be away for a while."""
    uri = tracking.uri or os.environ.get("MLFLOW_TRACKING_URI") or ""
    return not tracking.offline and urlsplit(uri).scheme in _SERVERS


def locate_store(tracking: TrackingConfig, work: WorkConfig | None = None) -> Store:
    """The store that the config, else MLFLOW_TRACKING_URI, else this folder names.

    Raises:
        UserError: It can't be used.
    """
    under_way = work_folder(work or WorkConfig())
    uri = None if tracking.offline else tracking.uri or os.environ.get("MLFLOW_TRACKING_URI")
    if tracking.needs_server and (not uri or uri.startswith("sqlite")):
        raise UserError("tracking=server needs to know which: set MLFLOW_TRACKING_URI=http://HOST:PORT, or give tracking.uri")
    if not uri:
        folder = (under_way / OFFLINE / socket.gethostname() if tracking.offline else FOLDER).resolve()
        return Store(uri=f"{address_of(folder / 'mlflow.db')}?timeout={_PATIENCE}", folder=folder, work=under_way)
    scheme = urlsplit(uri).scheme.split("+")[0]
    if scheme not in (*_SERVERS, *_DATABASES):
        raise UserError(
            f"tracking store {uri!r} is not one that MLflow can write to: give http://HOST:PORT or sqlite:///FILE as "
            "tracking.uri or MLFLOW_TRACKING_URI, or neither for mlruns/mlflow.db"
        )
    check_address(uri)
    return Store(uri=uri, folder=None, work=under_way)


def address_of(database: Path) -> str:
    """The URI of an sqlite file; special characters are quoted.

    MLflow makes the folder that it reads from a URI that begins with sqlite:///, and does not undo the quoting there; so an
    address with quotes names the driver too.

    >>> address_of(Path("/a/mlflow.db")), address_of(Path("/why?/mlflow.db"))
    ('sqlite:////a/mlflow.db', 'sqlite+pysqlite:////why%3F/mlflow.db')
    """
    plain = str(database)
    return f"sqlite+pysqlite:///{quote(plain)}" if set("?#%") & set(plain) else f"sqlite:///{plain}"


def folder_of(uri: str) -> Path | None:
    """The folder of the sqlite file at an address; None for a server.

    >>> folder_of("sqlite+pysqlite:////why%3F/mlflow.db?timeout=60")
    PosixPath('/why?')
    """
    scheme, _, rest = uri.partition(":///")
    path = rest.partition("?")[0]
    return Path(unquote(path) if "+" in scheme else path).parent if scheme.startswith("sqlite") else None


def check_store(store: Store) -> None:
    """Raise `UserError` if runs can't be written to the store; takes no time and needs no mlflow."""
    check_folder(FOLDER.resolve())  # also with a server: it holds temporary files, and unfinished runs and unsent results
    if store.work != FOLDER:
        check_work(store.work)
    if store.folder is not None:
        check_database(store.folder / "mlflow.db", writing=True)
    elif (folder := folder_of(store.uri)) is not None and not folder.is_dir():
        raise UserError(f"tracking store {store.uri} is in a folder that does not exist: make it, or correct tracking.uri")


def check_experiment(store: Store, name: str) -> None:
    """Raise `UserError` for an experiment that was deleted, before images are read; of a local store without mlflow."""
    if store.folder is not None:
        number = deleted_experiment(store.folder / "mlflow.db", name)
    else:
        open_store(store)
        import mlflow

        experiment = mlflow.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment and experiment.lifecycle_stage == "deleted" else None
    if number is not None:
        raise _was_deleted(store, name, number)


def _was_deleted(store: Store, name: str, number: str) -> UserError:
    address = [] if urlsplit(store.uri).password else ["env", f"MLFLOW_TRACKING_URI={store.uri}"]
    command = in_shell(*address, sys.executable, "-m", "mlflow", "experiments", "restore", "--experiment-id", number)
    return UserError(f"experiment {name} was deleted: name another by tracking.experiment=NAME, or bring it back with  {command}")


def store_with_runs(uri: str | None = None) -> Store:
    """The store to read runs from: the one of this address, else the one of this folder.

    Raises:
        UserError: It has none.
    """
    store = locate_store(TrackingConfig(uri=uri))
    if store.folder is not None and not (store.folder / "mlflow.db").is_file():
        raise UserError(f"there are no runs in {store.folder}: make one with cxr, or go to the folder that you ran it in")
    if store.folder is not None:
        check_database(store.folder / "mlflow.db", writing=False)
    return store


def opened_store(uri: str | None = None, writing: bool = True) -> Store:
    """`store_with_runs`, open.

    Raises:
        UserError: It has no runs or, for `writing`, can't be written to.
    """
    store = store_with_runs(uri)
    if writing:
        check_store(store)
    open_store(store)
    _check_deleted(store)
    return store


def _check_deleted(store: Store) -> None:
    """Raise `UserError` where every experiment but MLflow's own was deleted, so that there are no runs to see."""
    import mlflow
    from mlflow.entities import ViewType

    experiments = [entry for entry in mlflow.search_experiments(ViewType.ALL) if entry.name != "Default"]
    if experiments and all(entry.lifecycle_stage == "deleted" for entry in experiments):
        raise _was_deleted(store, experiments[0].name, experiments[0].experiment_id)


def open_store(store: Store) -> None:
    """Make the store if it is not there and point mlflow at it.

    Several processes that open a fresh sqlite file at once break it, so the first one in makes it and the others wait.

    Raises:
        UserError: It can't be opened.
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
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)  # it would report each retry
    logging.getLogger(DATABASE_LOGGER).setLevel(logging.CRITICAL)
    value = os.environ.get("MLFLOW_TRACKING_URI")
    mlflow.set_tracking_uri(store.uri)  # also sets the variable, which has to keep the user's value
    if value is None:
        os.environ.pop("MLFLOW_TRACKING_URI", None)
    else:
        os.environ["MLFLOW_TRACKING_URI"] = value
    try:
        if store.folder is not None:
            store.folder.mkdir(exist_ok=True, parents=True, mode=0o700)  # for the owner alone: images and predictions
        with FileLock(store.folder / "mlflow.db.lock") if store.folder else nullcontext():
            mlflow.search_experiments(max_results=1)
    except Exception as error:  # of SQLAlchemy, requests, the system, or MLflow itself
        raise UserError(describe_refusal(store.uri, error)) from error


def describe_refusal(uri: str, error: Exception) -> str:
    """The error of a store in one line, without a password."""
    text = " ".join(str(getattr(error, "message", None) or error).split())
    text = text.partition("[SQL:")[0].partition("(Background on this error")[0].strip()[:300]
    split = urlsplit(uri)
    place = folder_of(uri) or f"{split.scheme}://{split.hostname or ''}"
    return f"the store in {place} can't be used ({type(error).__name__}: {text}): fix that, and give the same command again"


def experiment_id(store: Store, name: str) -> str:
    """The MLflow experiment of this name, made if need be; a local store keeps artifacts in its own folder.

    Raises:
        UserError: The store was moved.
    """
    import mlflow

    with FileLock(store.folder / "mlflow.db.lock") if store.folder else nullcontext():
        experiment = mlflow.get_experiment_by_name(name)
        location = (store.folder / "artifacts").as_uri() if store.folder else None
        if experiment is not None and experiment.lifecycle_stage == "deleted":
            raise _was_deleted(store, name, experiment.experiment_id)
        if experiment is None:
            return mlflow.create_experiment(name, artifact_location=location)
        if location and experiment.artifact_location != location:
            raise UserError(
                f"this store was moved: files of new runs would go to {experiment.artifact_location}; it can be read (compare, ui, "
                "reproduce --from), so make new runs in another folder, or move it back"
            )
        return str(experiment.experiment_id)
