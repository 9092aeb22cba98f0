"""`cxr reproduce`: one run, what differs today, and the same run again."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Command

TINY = ("data.phantom.count=60", "training.epochs=2", "training.deterministic=true")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, run_cxr: Command) -> tuple[Path, str]:
    """A folder with one finished run, and the run's id."""
    folder = tmp_path_factory.mktemp("made")
    done = run_cxr(*TINY, folder=folder)
    assert done.returncode == 0, done.stderr
    ((run_id, _),) = runs_in(folder)
    return folder, run_id


def runs_in(folder: Path) -> list[tuple[str, str]]:
    """Id and status of every run, oldest first."""
    with closing(sqlite3.connect(folder / "mlruns/mlflow.db")) as store:
        return store.execute("select run_uuid, status from runs order by start_time").fetchall()


def test_a_dry_run_says_what_differs_and_makes_none(made: tuple[Path, str], run_cxr: Command) -> None:
    folder, run_id = made
    packages = folder / f"mlruns/artifacts/{run_id}/artifacts/environment/packages.txt"
    text = packages.read_text()
    packages.write_text(text.replace("\nnumpy==", "\nnumpy==0."))
    done = run_cxr("reproduce", run_id[:8], "--dry", folder=folder)
    packages.write_text(text)
    assert done.returncode == 0, done.stderr
    assert "packages: numpy 0." in done.stderr
    assert len(runs_in(folder)) == 1


def test_settings_may_follow_a_flag(tmp_path: Path, run_cxr: Command) -> None:
    done = run_cxr("reproduce", "a-run", "--dry", "data.root=elsewhere", folder=tmp_path)
    assert "there are no runs in" in done.stderr  # so it has read its arguments


def test_a_store_that_was_moved_away_from_its_files_is_told(made: tuple[Path, str], run_cxr: Command, tmp_path: Path) -> None:
    folder, run_id = made
    (folder / "mlruns").rename(tmp_path / "mlruns")
    try:
        done = run_cxr(
            "reproduce", run_id, "--dry", folder=tmp_path.parent, MLFLOW_TRACKING_URI=f"sqlite:///{tmp_path}/mlruns/mlflow.db"
        )
    finally:
        (tmp_path / "mlruns").rename(folder / "mlruns")
    assert done.returncode == 2
    assert "was the store moved?" in done.stderr
    assert os.fspath(folder / "mlruns") in done.stderr


def test_the_run_again_is_the_same_to_the_bit(made: tuple[Path, str], run_cxr: Command) -> None:
    folder, run_id = made
    done = run_cxr("reproduce", run_id, folder=folder)
    assert done.returncode == 0, done.stderr
    assert "identical to the bit" in done.stdout
    first, (again, status) = runs_in(folder)
    assert (first[0], status) == (run_id, "FINISHED")
    with closing(sqlite3.connect(folder / "mlruns/mlflow.db")) as store:
        said = store.execute("select value from tags where key = 'cxr.reproduces' and run_uuid = ?", (again,)).fetchall()
    assert said == [(run_id,)]
