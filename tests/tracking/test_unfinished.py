"""Unfinished runs: the owner of each folder, and which processes are gone."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pytest

from cxr.tracking.stage import TAG as STAGE
from cxr.tracking.store import FOLDER, Store, experiment_id
from cxr.tracking.unfinished import PLACE, TAG, claim, close_cut_off_runs
from tests.other_machine import on_machine

# A run as the experiment opens it, which lasts until it is killed.
RUN = """
import sys
from cxr.config.schema import Config, TrackingConfig
from cxr.tracking.run import open_run
from cxr.tracking.store import locate_store, open_store
from cxr.tracking.unfinished import TAG, claim
store = locate_store(TrackingConfig())
open_store(store)
claimed = claim(sys.argv[1], fresh=False)
with open_run(store, Config(), sys.argv[1], {TAG: claimed.folder.name}) as run:
    claimed.belongs_to(run.id)
    print(run.id, flush=True)
    sys.stdin.read()
"""

CLOSE = """
import sys
from cxr.config.schema import TrackingConfig
from cxr.tracking.store import locate_store, open_store
from cxr.tracking.unfinished import close_cut_off_runs
store = locate_store(TrackingConfig())
open_store(store)
print(*close_cut_off_runs(store), flush=True)
"""

CLAIM = """
import sys
from cxr.tracking.unfinished import claim
say = lambda: print("waiting", flush=True)
claimed = claim("abc", fresh=False, on_wait=say if sys.argv[1] == "wait" else None)
print(claimed.folder.name, claimed.checkpoint.exists(), flush=True)
"""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


@contextmanager
def python(code: str, argument: str, machine: Sequence[str] = (), **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Code in a process of its own, killed at the end, or when a minute and a half has passed."""
    command = [*machine, sys.executable, "-c", code, argument]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **more)
    limit = threading.Timer(90, process.kill)
    limit.start()
    try:
        yield process
    finally:
        limit.cancel()
        process.kill()
        process.communicate()


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints; empty if it ended."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def begun(store: Store, **tags: str) -> str:
    """The id of a run that is under way, in the folder of a claim of fingerprint abc."""
    run = mlflow.MlflowClient().create_run(experiment_id(store, "cxr"), tags={TAG: "abc", **tags})
    return str(run.info.run_id)


@pytest.mark.parametrize(
    ("end", "fresh", "is_left"),
    [("let_go", False, True), ("let_go", True, False), ("remove", False, False), ("remove", True, False)],
)
def test_checkpoint_is_left_for_the_next_attempt_alone(end: str, fresh: bool, is_left: bool) -> None:
    first = claim("abc", fresh=False)
    first.checkpoint.write_bytes(b"state")
    getattr(first, end)()
    assert (FOLDER / PLACE / "abc.lock").exists() == (end == "let_go")
    assert claim("abc", fresh=fresh).checkpoint.exists() == is_left


def test_claim_without_waiting_takes_another_folder() -> None:
    mine = claim("abc", fresh=False)
    mine.checkpoint.write_bytes(b"state")
    with python(CLAIM, "go-on") as other:
        assert line_of(other) == "abc-2 False"


@pytest.mark.parametrize(("end", "claimed"), [("let_go", "abc True"), ("remove", "abc False")])
def test_claim_that_waits_is_granted_when_the_first_is_done(end: str, claimed: str) -> None:
    mine = claim("abc", fresh=False)
    mine.checkpoint.write_bytes(b"state")
    with python(CLAIM, "wait") as other:
        assert line_of(other) == "waiting"
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.5)
        getattr(mine, end)()
        assert line_of(other) == claimed


@pytest.mark.parametrize(
    ("seconds", "has_lock_file"),
    [(0, True), (3600, True), (-3600, True), (0, False)],
    ids=["", "clock-ahead", "clock-behind", "no-lock"],
)
def test_run_is_closed_only_when_its_process_is_gone(seconds: int, has_lock_file: bool, fresh_store: Store) -> None:
    """Whatever the clock of its machine, and also where its lock file was deleted."""
    clock = f"import time; right = time.time; time.time = lambda: right() + {seconds}\n"
    with python(clock + RUN, "abc") as process:
        run_id = line_of(process)
        assert abs(mlflow.get_run(run_id).info.start_time / 1000 - time.time() - seconds) < 600
        if not has_lock_file:
            (FOLDER / PLACE / "abc.lock").unlink()
        assert close_cut_off_runs(fresh_store) == []
        process.kill()
        process.wait(30)
        assert close_cut_off_runs(fresh_store) == [run_id]
    closed = mlflow.get_run(run_id)
    assert closed.info.status == "KILLED"
    assert "the process ended without a reason" in closed.data.tags["cxr.failure"]


def test_earlier_run_is_one_that_is_neither_finished_nor_deleted(fresh_store: Store) -> None:
    client, claimed, run_id = mlflow.MlflowClient(), claim("abc", fresh=False), begun(fresh_store)
    claimed.belongs_to(run_id)
    assert (earlier := claimed.earlier_run()) is not None
    assert earlier.id == run_id
    client.set_tag(run_id, STAGE, "finished")
    client.set_terminated(run_id, "FINISHED")
    assert claimed.earlier_run() is None
    client.set_terminated(run_id, "KILLED")
    client.delete_run(run_id)
    assert claimed.earlier_run() is None


def test_a_live_run_of_another_folder_is_not_closed_by_a_folder_of_the_same_name_here(fresh_store: Store, tmp_path: Path) -> None:
    """As in a server's store: the same config in two folders."""
    server, elsewhere = Store(fresh_store.uri, None), tmp_path / "elsewhere"
    elsewhere.mkdir()
    claim("abc", fresh=False).let_go()
    with python(RUN, "abc", cwd=elsewhere, env={**os.environ, "MLFLOW_TRACKING_URI": fresh_store.uri}) as alive:
        run_id = line_of(alive)
        assert close_cut_off_runs(server) == []
        alive.kill()
        alive.wait(30)
        assert close_cut_off_runs(server) == [run_id]


@pytest.mark.parametrize("has_locks", [True, False])
def test_a_live_run_of_another_machine_is_not_closed(has_locks: bool, fresh_store: Store, tmp_path: Path) -> None:
    """Also where that machine's locks are not seen here, or its lock file is gone; that machine knows when it has ended."""
    lock = (FOLDER / PLACE / "abc.lock").resolve()
    with python(RUN, "abc", on_machine("other", tmp_path, [] if has_locks else [lock])) as alive:
        run_id = line_of(alive)
        assert close_cut_off_runs(fresh_store) == []
        if has_locks:
            lock.unlink()
            assert close_cut_off_runs(fresh_store) == []
            lock.touch()
        alive.kill()
        alive.wait(30)
        assert close_cut_off_runs(fresh_store) == []
    with python(CLOSE, "", on_machine("third", tmp_path)) as third:
        assert line_of(third) == ""
    with python(CLOSE, "", on_machine("other", tmp_path)) as rebooted:
        assert line_of(rebooted) == run_id


def test_runs_with_a_work_folder_of_their_own_are_closed_only_where_it_is(fresh_store: Store, tmp_path: Path) -> None:
    work = tmp_path / "shared"
    work.mkdir()
    held = claim("abc", fresh=False, work=work)
    run_id = begun(fresh_store)
    mlflow.MlflowClient().log_param(run_id, "work.dir", str(work))
    assert close_cut_off_runs(fresh_store) == []
    held.let_go()
    work.rename(tmp_path / "unmounted")
    assert close_cut_off_runs(fresh_store) == []  # another machine's disk: nobody here knows
    (tmp_path / "unmounted").rename(work)
    assert close_cut_off_runs(fresh_store) == [run_id]


def test_runs_that_cxr_did_not_make_here_are_left_alone(fresh_store: Store) -> None:
    of_somebody = mlflow.MlflowClient().create_run(experiment_id(fresh_store, "cxr")).info.run_id
    of_another_folder = begun(fresh_store, **{TAG: "../abc"})
    assert close_cut_off_runs(fresh_store) == []
    assert {mlflow.get_run(run_id).info.status for run_id in (of_somebody, of_another_folder)} == {"RUNNING"}


def test_a_servers_runs_from_elsewhere_are_left_alone(fresh_store: Store) -> None:
    server, run_id = Store(fresh_store.uri, None), begun(fresh_store)
    assert close_cut_off_runs(server) == []
    claim("abc", fresh=False).let_go()
    assert close_cut_off_runs(server) == [run_id]


@pytest.mark.parametrize(("stage", "status"), [("trained", "KILLED"), ("finished", "FINISHED")])
@pytest.mark.parametrize("before", ["FINISHED", "RUNNING"])
def test_status_is_corrected_by_the_mark_of_the_run(stage: str, status: str, before: str, fresh_store: Store) -> None:
    """MLflow's own hook may have ended the run as FINISHED, and a store may have taken the last mark and not the status."""
    run_id = begun(fresh_store, **{STAGE: stage})
    if before != "RUNNING":
        mlflow.MlflowClient().set_terminated(run_id, before)
    close_cut_off_runs(fresh_store)
    assert mlflow.get_run(run_id).info.status == status


def test_more_runs_than_one_page_are_looked_at(fresh_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    search = mlflow.MlflowClient.search_runs
    monkeypatch.setattr(mlflow.MlflowClient, "search_runs", lambda *a, **k: search(*a, **{**k, "max_results": 2}))
    runs = {begun(fresh_store) for _ in range(5)}
    assert set(close_cut_off_runs(fresh_store)) == runs
