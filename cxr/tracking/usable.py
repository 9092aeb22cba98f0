"""Whether a store can be used: checked without mlflow, before images are read."""

import os
import shutil
import socket
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from urllib.error import URLError
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

from rich.filesize import decimal as in_bytes

from cxr.errors import UserError

SPARE_BYTES = 100 * 10**6  # a run writes a model twice, figures, tables and a checkpoint: some 30 to 80 MB
_PATIENCE = 15  # seconds that another program may hold the database before a run starts
# SQLAlchemy's drivers, the usual one of each database first, with the module that each is and the package that brings it; and
# the usual port.
_DRIVERS = {
    "postgresql": ({"psycopg": ("psycopg", "'psycopg[binary]'"), "psycopg2": ("psycopg2", "psycopg2-binary")}, 5432),
    "mysql": ({"mysqldb": ("MySQLdb", "mysqlclient"), "pymysql": ("pymysql", "pymysql")}, 3306),
    "mssql": ({"pyodbc": ("pyodbc", "pyodbc"), "pymssql": ("pymssql", "pymssql")}, 1433),
}


def check_folder(folder: Path) -> None:
    """Raise `UserError` if the folder `mlruns` can't be written to, or its disk is full."""
    for place in (folder, folder / "artifacts"):
        if place.exists() and not place.is_dir():
            raise UserError(f"{place} is a file, and runs need a folder of this name: move it away, or work in another folder")
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK | os.X_OK):
        raise UserError(f"{folder} can't be written to by this user: work in another folder, or set MLFLOW_TRACKING_URI")
    if (free := shutil.disk_usage(folder if folder.exists() else folder.parent).free) < SPARE_BYTES:
        raise UserError(
            f"the disk of {folder} has {in_bytes(free)} left, and a run needs up to {in_bytes(SPARE_BYTES)}: "
            "free some, or work in a folder on another disk"
        )


def check_work(folder: Path) -> None:
    """Raise `UserError` if the folder `work.dir` is not on this machine, or can't be written to."""
    if not folder.is_dir():
        raise UserError(f"work.dir={folder} is not on {socket.gethostname()}: make it, or mount the disk that machines share")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UserError(f"work.dir={folder} can't be written to by this user on {socket.gethostname()}: correct its permissions")


def check_database(file: Path, writing: bool) -> None:
    """Raise `UserError` for an sqlite file that is damaged, locked by another program or, for writing, read-only."""
    if not file.exists():
        return
    if not file.is_file():
        raise UserError(f"{file} is not a file: move it away, or work in another folder")
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=_PATIENCE)) as database:
            database.execute("SELECT name FROM sqlite_master").fetchall()
            if writing:
                database.execute("BEGIN IMMEDIATE")
                database.rollback()
    except sqlite3.Error as error:
        raise UserError(f"the store {file} can't be used: {_what_to_do(error)}") from None


def deleted_experiment(file: Path, name: str) -> str | None:
    """The id of an experiment that was deleted in the MLflow UI; None for any other. The sqlite file may be missing."""
    if not file.is_file():
        return None
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=_PATIENCE)) as database:
            query = "SELECT experiment_id FROM experiments WHERE name = ? AND lifecycle_stage = 'deleted'"
            row = database.execute(query, (name,)).fetchone()
    except sqlite3.Error:  # no store yet, or a damaged one, which others report
        return None
    return str(row[0]) if row else None


def check_address(uri: str) -> None:
    """Raise `UserError` for the address of a server or database that does not answer, or whose driver is not installed."""
    scheme = urlsplit(uri).scheme
    database, _, driver = scheme.partition("+")
    if scheme in ("http", "https"):
        _check_server(uri)
    if database not in _DRIVERS:
        return
    drivers, port = _DRIVERS[database]
    driver = driver or next(iter(drivers))
    if driver not in drivers:
        known = ", ".join(f"{database}+{name}" for name in drivers)
        raise UserError(f"tracking store {scheme}://... names a driver that is not known: give {database} or one of {known}")
    module, package = drivers[driver]
    if find_spec(module) is None:
        raise UserError(f"tracking store {scheme}://... needs a package that is not here: pip install {package}")
    try:
        split = urlsplit(uri)
        socket.create_connection((split.hostname or "localhost", split.port or port), timeout=3).close()
    except (OSError, ValueError) as error:
        raise UserError(f"no {database} answers at the address of the tracking store ({error}): start it, or correct it") from None


def _check_server(uri: str) -> None:
    try:
        urlopen(f"{uri.rstrip('/')}/health", timeout=3).close()  # noqa: S310 (http or https: the caller looked)
    except (URLError, OSError, ValueError) as error:
        raise UserError(
            f"no MLflow server answers at {uri} ({getattr(error, 'reason', error)}): start it, or correct tracking.uri or "
            "MLFLOW_TRACKING_URI"
        ) from None


def _what_to_do(error: sqlite3.Error) -> str:
    if "locked" in str(error) or "busy" in str(error):
        return f"another program has held it for {_PATIENCE} s: end that, and give the same command again"
    if "readonly" in str(error) or "unable to open" in str(error):
        return "this user may not write to it: correct its permissions, or work in another folder"
    return f"it is damaged ({error}): bring back a copy, or move it away for a new one; the files of runs stay in artifacts"
