"""Unusable stores are reported in one line, before anything is read."""

import os
import sqlite3
from pathlib import Path

import pytest

from cxr.config.schema import TrackingConfig
from cxr.errors import UserError
from cxr.tracking import usable
from cxr.tracking.store import Store, address_of, check_store, folder_of, locate_store


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(usable, "_PATIENCE", 0.2)


def refused() -> str:
    with pytest.raises(UserError) as error:
        check_store(locate_store(TrackingConfig()))
    assert "\n" not in str(error.value)
    return str(error.value)


def database() -> Path:
    Path("mlruns").mkdir()
    with sqlite3.connect("mlruns/mlflow.db") as made:
        made.execute("create table runs (a)")
    return Path("mlruns/mlflow.db")


def test_a_store_that_is_not_there_yet_or_is_empty_can_be_used() -> None:
    check_store(locate_store(TrackingConfig()))
    Path("mlruns").mkdir()
    Path("mlruns/mlflow.db").touch()
    check_store(locate_store(TrackingConfig()))


@pytest.mark.parametrize("place", ["mlruns", "mlruns/artifacts"])
def test_a_file_where_a_folder_should_be(place: str) -> None:
    Path(place).parent.mkdir(exist_ok=True)
    Path(place).touch()
    assert f"{place} is a file" in refused()


def test_a_damaged_database() -> None:
    database().write_bytes(os.urandom(5000))
    assert "it is damaged (file is not a database): bring back a copy" in refused()


def test_a_database_that_another_program_holds() -> None:
    with sqlite3.connect(database(), isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert "another program has held it" in refused()


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write everywhere")
def test_a_database_that_may_only_be_read() -> None:
    database().chmod(0o444)
    assert "may not write to it" in refused()


def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usable, "SPARE_BYTES", 10**18)
    assert "a run needs up to" in refused()


@pytest.mark.parametrize(
    ("uri", "answer"),
    [
        ("file:///tmp/mlruns", "is not one that MLflow can write to"),
        ("postgresql+os://x", "names a driver that is not known"),
        ("mssql://user:secret@127.0.0.1:9/x", "needs a package that is not here"),
        ("sqlite:////nowhere/at/all/x.db", "is in a folder that does not exist"),
    ],
)
def test_an_address_of_the_users_own(uri: str, answer: str) -> None:
    with pytest.raises(UserError, match=answer) as error:
        check_store(locate_store(TrackingConfig(uri=uri)))
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("name", ["plain", "why?", "a#b %20c", "100%", "a b", "ä;x&y=1+2"])
def test_any_folder_has_an_address(name: str, tmp_path: Path) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    file = tmp_path / name / "mlflow.db"
    uri = f"{address_of(file)}?timeout=60"
    assert sqlalchemy.engine.make_url(uri).database == str(file)
    assert folder_of(uri) == file.parent
    assert not Store(uri, None).is_remote
