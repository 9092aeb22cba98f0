"""The store: found in the right place, created once by several processes, runs closed with the right status."""

import shlex
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import mlflow
import pytest

from cxr.config.fields import flat_params
from cxr.config.schema import Config, DataConfig, TrackingConfig
from cxr.errors import UserError
from cxr.tracking.environment import code_version, machine, packages
from cxr.tracking.run import open_run
from cxr.tracking.search import runs_by_id
from cxr.tracking.store import Store, check_experiment, experiment_id, locate_store, open_store, opened_store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return locate_store(TrackingConfig())


def test_config_comes_before_environment_before_this_folder(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert store.uri.startswith(f"sqlite:///{tmp_path}/mlruns/mlflow.db?")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///elsewhere.db")
    assert locate_store(TrackingConfig()) == Store("sqlite:///elsewhere.db", None)
    assert locate_store(TrackingConfig(uri="sqlite:///chosen.db")).uri == "sqlite:///chosen.db"
    assert not (tmp_path / "mlruns").exists()


@pytest.mark.slow
def test_several_processes_may_make_the_store_at_once(store: Store) -> None:
    code = """
from cxr.config.schema import Config, DataConfig, TrackingConfig
from cxr.tracking.run import open_run
from cxr.tracking.store import locate_store, open_store
store = locate_store(TrackingConfig())
open_store(store)
with open_run(store, Config(), "a run", {}) as run:
    run.log_metrics({"x": 1.0})
"""
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) for _ in range(3)]
    ended = [(process.communicate()[1], process.returncode) for process in started]
    assert [code for _, code in ended] == [0, 0, 0], ended
    mlflow.set_tracking_uri(store.uri)
    runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
    assert [run.info.status for run in runs] == ["FINISHED"] * 3


@pytest.mark.parametrize(
    ("error", "status"),
    [(ValueError("no good"), "FAILED"), (KeyboardInterrupt(), "KILLED"), (None, "FINISHED")],
    ids=["error", "ctrl-c", "end"],
)
def test_status_of_a_run_is_how_it_ended(error: BaseException | None, status: str, shared_store: Store) -> None:
    mlflow.set_tracking_uri(shared_store.uri)  # another test may have turned to its own
    begun = open_run(shared_store, Config(), "a run", {"cxr.role": "candidate", "cxr.sweep_id": None})
    with pytest.raises(type(error)) if error else nullcontext(), begun as run:
        if error:
            raise error
    logged = mlflow.get_run(run.id)
    assert shared_store.folder is not None
    assert logged.info.status == status
    assert logged.data.tags.get("cxr.failure") == ("ValueError: no good" if status == "FAILED" else None)
    assert logged.data.params == flat_params(Config())
    assert "cxr.sweep_id" not in logged.data.tags
    assert logged.info.artifact_uri.startswith(f"{shared_store.folder.as_uri()}/artifacts")


def test_params_are_the_configs_scalars() -> None:
    params = flat_params(Config())
    assert params["freeze.trainable_from"] == "head"
    assert params["evaluation.prevalences"] == "[0.01, 0.05, 0.1, 0.2, 0.4]"
    assert params["data.root"] == "None"


def test_the_environment_is_named_without_naming_the_person() -> None:
    assert "keras==" in packages()
    assert set(machine()) == {"python", "system", "release", "architecture", "cores"}
    commit = code_version().commit
    assert commit is None or len(commit) == 40


def test_a_store_that_was_moved_takes_no_new_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for name in ("old", "new"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "old")
    first = locate_store(TrackingConfig())
    open_store(first)
    experiment_id(first, "cxr")
    (tmp_path / "old/mlruns").rename(tmp_path / "new/mlruns")
    monkeypatch.chdir(tmp_path / "new")
    moved = locate_store(TrackingConfig())
    open_store(moved)
    with pytest.raises(UserError, match="this store was moved"):
        experiment_id(moved, "cxr")
    assert not (tmp_path / "old/mlruns").exists()


def test_more_numbers_than_mlflow_takes_in_one_request_are_sent_in_several(fresh_store: Store) -> None:
    values = {f"test/class_{number}/auc": number / 1000 for number in range(2500)}
    with open_run(fresh_store, Config(), "many classes", {f"tag.{number}": "x" for number in range(150)}) as run:
        run.log_metrics(values)
        run.set_tags({f"more.{number}": "x" for number in range(150)})
    data = mlflow.get_run(run.id).data
    assert data.metrics == values
    assert len([name for name in data.tags if name.startswith(("tag.", "more."))]) == 300


def test_resumed_run_keeps_the_params_that_it_has(fresh_store: Store) -> None:
    """What differs is no part of the result, or it would be another run; MLflow refuses another value."""
    with open_run(fresh_store, Config(), "a run", {}) as run:
        pass
    moved = Config(data=DataConfig(root="elsewhere"))
    with open_run(fresh_store, moved, "a run", {}, resumed=run.id) as again:
        again.log_metrics({"test/accuracy": 1.0})
    assert mlflow.get_run(run.id).data.params["data.root"] == "None"
    assert mlflow.get_run(run.id).info.status == "FINISHED"


@pytest.mark.parametrize("odd", ["a?b", "a#b %20c"])
def test_a_store_lies_in_the_folder_that_it_was_made_in(odd: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / odd).mkdir()
    monkeypatch.chdir(tmp_path / odd)
    store = locate_store(TrackingConfig())
    open_store(store)
    (tmp_path / "files").mkdir()
    (tmp_path / "files/a.txt").write_text("a")
    with open_run(store, Config(), "a run", {}) as run:
        run.log_folder(tmp_path / "files")
    assert runs_by_id([run.id])[run.id].file("a.txt").is_relative_to(tmp_path / odd)
    assert {path.name for path in tmp_path.iterdir()} == {odd, "files"}
    assert (tmp_path / odd / "mlruns").stat().st_mode & 0o077 == 0


FULL_DISK = """
import resource
from pathlib import Path
from cxr.config.schema import Config, TrackingConfig
from cxr.errors import RunFailed
from cxr.tracking.run import open_run
from cxr.tracking.store import locate_store, open_store
store = locate_store(TrackingConfig())
open_store(store)
try:
    with open_run(store, Config(), "a run", {}) as run:
        size = Path("mlruns/mlflow.db").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, resource.RLIM_INFINITY))
        for step in range(1000):
            run.log_metrics({f"m{number}": 1.0 for number in range(100)}, step)
except RunFailed as error:
    print(error)
"""


def test_a_disk_that_fills_up_during_a_run_gives_one_line(store: Store, tmp_path: Path) -> None:
    """The database may not be written beyond half its size; MLflow logs the traceback of each such error, and raises it too."""
    done = subprocess.run([sys.executable, "-c", FULL_DISK], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (failure,) = done.stdout.splitlines()
    assert failure.startswith(f"the store in {tmp_path / 'mlruns'} can't be used (MlflowException: (sqlite3.OperationalError) ")
    (line,) = done.stderr.splitlines()
    assert line.startswith("cxr: how run ")
    assert "ended can't be kept: the store in" in line


def test_deleted_experiment_is_named_with_the_command_that_brings_it_back(fresh_store: Store) -> None:
    check_experiment(fresh_store, "cxr")  # not there yet
    number = experiment_id(fresh_store, "cxr")
    mlflow.delete_experiment(number)
    for use in (lambda: check_experiment(fresh_store, "cxr"), lambda: experiment_id(fresh_store, "cxr"), opened_store):
        with pytest.raises(UserError, match="experiment cxr was deleted: ") as error:
            use()
        command = shlex.split(str(error.value).rpartition("with  ")[2])
        assert command[:2] == ["env", f"MLFLOW_TRACKING_URI={fresh_store.uri}"]
        assert command[-4:] == ["experiments", "restore", "--experiment-id", number]
    check_experiment(fresh_store, "another")
    mlflow.MlflowClient().restore_experiment(number)
    assert opened_store().folder == fresh_store.folder
