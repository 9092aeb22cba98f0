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

# A run as the experiment opens it; it goes on until it is killed.
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


def test_what_is_let_go_is_found_again_and_what_is_removed_is_not() -> None:
    first = claim("abc", fresh=False)
    first.checkpoint.write_bytes(b"state")
    first.let_go()
    second = claim("abc", fresh=False)
    assert second.checkpoint.read_bytes() == b"state"
    second.remove()
    assert list((FOLDER / PLACE).iterdir()) == []
    assert not claim("abc", fresh=False).checkpoint.exists()


def test_anew_drops_what_an_earlier_attempt_left() -> None:
    first = claim("abc", fresh=False)
    first.checkpoint.write_bytes(b"state")
    first.let_go()
    second = claim("abc", fresh=True)
    assert list(second.folder.iterdir()) == []


def test_who_does_not_wait_takes_another_folder() -> None:
    mine = claim("abc", fresh=False)
    mine.checkpoint.write_bytes(b"state")
    with python(CLAIM, "go-on") as other:
        assert line_of(other) == "abc-2 False"


@pytest.mark.parametrize(("end", "found"), [("let_go", "abc True"), ("remove", "abc False")])
def test_who_waits_goes_on_when_the_first_is_done(end: str, found: str) -> None:
    mine = claim("abc", fresh=False)
    mine.checkpoint.write_bytes(b"state")
    with python(CLAIM, "wait") as other:
        assert line_of(other) == "waiting"
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(0.5)
        getattr(mine, end)()
        assert line_of(other) == found


def test_a_run_whose_process_is_gone_is_closed_and_one_that_lives_is_not(fresh_store: Store) -> None:
    alive = claim("alive", fresh=False)
    alive_id = mlflow.MlflowClient().create_run(experiment_id(fresh_store, "cxr"), tags={TAG: alive.folder.name}).info.run_id
    with python(RUN, "dead") as dead:
        dead_id = line_of(dead)
        assert close_cut_off_runs(fresh_store) == []
        dead.kill()
        dead.wait(30)
        assert close_cut_off_runs(fresh_store) == [dead_id]
    closed = mlflow.get_run(dead_id)
    assert closed.info.status == "KILLED"
    assert "the process ended without a reason" in closed.data.tags["cxr.failure"]
    assert mlflow.get_run(alive_id).info.status == "RUNNING"
    left = claim("dead", fresh=False)
    assert (found := left.earlier_run()) is not None
    assert found.id == dead_id
    mlflow.MlflowClient().set_tag(dead_id, STAGE, "finished")  # it was killed after its last word
    mlflow.MlflowClient().set_terminated(dead_id, "FINISHED")
    assert left.earlier_run() is None
    mlflow.MlflowClient().set_terminated(dead_id, "KILLED")
    mlflow.delete_run(dead_id)
    assert left.earlier_run() is None


@pytest.mark.parametrize("seconds", [3600, -3600])
def test_a_clock_that_differs_by_an_hour_changes_nothing(seconds: int, fresh_store: Store) -> None:
    """Of the machine that a run is on: what tells that it lives is its lock."""
    wrong = f"import time; right = time.time; time.time = lambda: right() + {seconds}\n"
    with python(wrong + RUN, "elsewhere") as alive:
        run_id = line_of(alive)
        assert close_cut_off_runs(fresh_store) == []
        told = mlflow.get_run(run_id).info.start_time / 1000
        assert abs(told - time.time() - seconds) < 600
        alive.kill()
        alive.wait(30)
        assert close_cut_off_runs(fresh_store) == [run_id]


def test_a_live_run_whose_lock_file_was_deleted_is_not_closed(fresh_store: Store) -> None:
    with python(RUN, "abc") as alive:
        run_id = line_of(alive)
        (FOLDER / PLACE / "abc.lock").unlink()
        assert close_cut_off_runs(fresh_store) == []
        alive.kill()
        alive.wait(30)
        assert close_cut_off_runs(fresh_store) == [run_id]


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


def test_runs_with_a_work_folder_of_their_own_are_judged_where_it_is(fresh_store: Store, tmp_path: Path) -> None:
    work = tmp_path / "shared"
    work.mkdir()
    held = claim("abc", fresh=False, work=work)
    client, experiment = mlflow.MlflowClient(), experiment_id(fresh_store, "cxr")
    run_id = client.create_run(experiment, tags={TAG: held.folder.name}).info.run_id
    client.log_param(run_id, "work.dir", str(work))
    assert close_cut_off_runs(fresh_store) == []
    held.let_go()
    work.rename(tmp_path / "unmounted")
    assert close_cut_off_runs(fresh_store) == []  # another machine's disk: nobody here knows
    (tmp_path / "unmounted").rename(work)
    assert close_cut_off_runs(fresh_store) == [run_id]


def test_runs_that_cxr_did_not_make_here_are_left_alone(fresh_store: Store) -> None:
    client, experiment = mlflow.MlflowClient(), experiment_id(fresh_store, "cxr")
    of_somebody = client.create_run(experiment)
    of_another_folder = client.create_run(experiment, tags={TAG: "../abc"})
    assert close_cut_off_runs(fresh_store) == []
    assert client.get_run(of_somebody.info.run_id).info.status == "RUNNING"
    assert client.get_run(of_another_folder.info.run_id).info.status == "RUNNING"


def test_a_servers_runs_from_elsewhere_are_left_alone(fresh_store: Store) -> None:
    run = mlflow.MlflowClient().create_run(experiment_id(fresh_store, "cxr"), tags={TAG: "abc"})
    server = Store(fresh_store.uri, None)
    assert close_cut_off_runs(server) == []
    claim("abc", fresh=False).let_go()
    assert close_cut_off_runs(server) == [run.info.run_id]


@pytest.mark.parametrize(("stage", "status"), [("trained", "KILLED"), ("finished", "FINISHED")])
@pytest.mark.parametrize("said", ["FINISHED", "RUNNING"])
def test_a_status_is_put_right_by_the_runs_own_mark(stage: str, status: str, said: str, fresh_store: Store) -> None:
    """MLflow's own hook may have ended the run as FINISHED, and a store may have taken the last mark and not the status."""
    client = mlflow.MlflowClient()
    run = client.create_run(experiment_id(fresh_store, "cxr"), tags={TAG: "abc", STAGE: stage}).info.run_id
    client.set_terminated(run, said) if said != "RUNNING" else None
    close_cut_off_runs(fresh_store)
    assert client.get_run(run).info.status == status


def test_more_runs_than_one_page_are_looked_at(fresh_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    client, experiment = mlflow.MlflowClient(), experiment_id(fresh_store, "cxr")
    search = mlflow.MlflowClient.search_runs
    monkeypatch.setattr(mlflow.MlflowClient, "search_runs", lambda *a, **k: search(*a, **{**k, "max_results": 2}))
    runs = {client.create_run(experiment, tags={TAG: "abc"}).info.run_id for _ in range(5)}
    assert set(close_cut_off_runs(fresh_store)) == runs
