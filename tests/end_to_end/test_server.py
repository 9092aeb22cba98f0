"""deploy/mlflow on a real PostgreSQL: passwords, a restart in a sweep, backup, restore, and runs of a node without network."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import pytest
from mlflow.entities import Run

from cxr.commands import send
from cxr.tracking.run import open_run
from cxr.tracking.store import locate_store, open_store
from tests.conftest import REPOSITORY, Command, Compose

pytestmark = pytest.mark.slow

DEPLOY = REPOSITORY / "deploy/mlflow"
HOST = "127.0.0.1"
SMALL = ("data.phantom.count=60", "training.epochs=2", "evaluation=numbers", "audit=off")
SWEEP = ("-m", "loss=plain,focal,balanced", *SMALL)
JOBS = 3


def free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


class Database:
    """A PostgreSQL of this machine in a folder of its own, which its programs do not run as an administrator."""

    def __init__(self, place: Path | None = None) -> None:
        self.programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/nowhere"))
        if not (self.programs / "initdb").exists() or not shutil.which("pg_dump"):
            pytest.skip("needs PostgreSQL from Debian's packages")
        self.folder, self.port = Path(tempfile.mkdtemp(prefix="cxr-postgres-", dir=place)), free_port()
        self.user = "postgres" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)
        self._run("initdb", "--pgdata", str(self.folder / "data"), "--auth=trust", "--username=mlflow")
        options = f"-p {self.port} -c listen_addresses={HOST} -c unix_socket_directories={self.folder}"
        log = str(self.folder / "log.txt")  # else it would write into the pipe of pg_ctl, which would never end
        self._run("pg_ctl", "--pgdata", str(self.folder / "data"), "--log", log, "--options", options, "--wait", "start")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        subprocess.run(command, user=self.user, cwd=self.folder, check=True, capture_output=True, timeout=120)

    def create(self, name: str) -> str:
        """A new empty database; returns its address."""
        self._run("createdb", "--host", HOST, "--port", str(self.port), "--username=mlflow", name)
        return f"postgresql://mlflow@{HOST}:{self.port}/{name}"

    def stop(self) -> None:
        self._run("pg_ctl", "--pgdata", str(self.folder / "data"), "--mode=immediate", "stop")
        shutil.rmtree(self.folder)


@dataclass
class Server:
    """What deploy/mlflow/serve starts."""

    settings: dict[str, str]
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def uri(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        hosts = f"{HOST}:{self.port},{HOST}"
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "MLFLOW_SERVER_ALLOWED_HOSTS": hosts, "MLFLOW_PORT": str(self.port), **self.settings}

    def start(self) -> None:
        self.process = subprocess.Popen([str(DEPLOY / "serve")], env=self.environment, start_new_session=True)
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
                return
            except OSError:
                assert self.process.poll() is None, "the server ended"
                assert time.monotonic() < deadline
                time.sleep(0.2)

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)

    def do(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(DEPLOY / program), *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def database() -> Iterator[Database]:
    database = Database()
    yield database
    database.stop()


def server_on(database: Database, folder: Path, name: str) -> Server:
    return Server(
        {
            "MLFLOW_BACKEND_STORE_URI": database.create(f"{name}_runs"),
            "MLFLOW_AUTH_DATABASE_URI": database.create(f"{name}_users"),
            "MLFLOW_ARTIFACTS_DESTINATION": str(folder / f"{name}-artifacts"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": "correct horse battery",
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "of this test",
            "MLFLOW_HOST": HOST,
            "MLFLOW_WORKERS": "1",  # each takes seconds of a processor to start
        }
    )


@pytest.fixture(scope="module")
def server(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One for this module, whose first test restarts it."""
    server = server_on(database, tmp_path_factory.mktemp("server"), "first")
    server.start()
    yield server
    server.stop()


def runs_of(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """All runs of a server as it tells them."""
    for name, value in signed_in(server).items():
        monkeypatch.setenv(name, value)
    mlflow.set_tracking_uri(server.uri)
    return list(mlflow.search_runs(search_all_experiments=True, output_format="list"))


def signed_in(server: Server, password: str = "correct horse battery") -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": server.uri, "MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": password}


def test_sweep_outlives_a_restart_and_a_backup_brings_all_back(
    server: Server,
    database: Database,
    tmp_path: Path,
    small_backbone: tuple[str, ...],
    cxr_here: Command,
    cache_home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    wrong = cxr_here("tracking=server", *SMALL, folder=work, **signed_in(server, "wrong"))
    assert wrong.returncode == 2
    assert "can't be used" in wrong.stderr.splitlines()[-1]
    nowhere = cxr_here("tracking=server", *SMALL, folder=work)
    assert nowhere.returncode == 2
    assert "tracking=server needs to know which" in nowhere.stderr

    with pytest.raises(urllib.error.HTTPError, match=r"40[13]"):
        urllib.request.urlopen(f"{server.uri}/api/2.0/mlflow/experiments/search?max_results=1", timeout=30)
    rebound = urllib.request.Request(f"{server.uri}/", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(rebound, timeout=30)

    environment = {**os.environ, **signed_in(server), "XDG_CACHE_HOME": str(cache_home), "CXR_CACHE": str(cache_home / "kept")}
    parallel = (*SWEEP, *small_backbone, "tracking=server", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    command = [sys.executable, "-m", "cxr", *parallel]
    sweep = subprocess.Popen(command, cwd=work, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 240
    while not list(work.glob("mlruns/sweeps/*/jobs/*.json")):  # a job has ended, others are under way
        assert sweep.poll() is None, sweep.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.2)
    server.stop()
    server.start()
    _, errors = sweep.communicate(timeout=300)
    assert sweep.returncode in (0, 1, 2), errors  # a job may have failed, or been rejected, at the moment of the restart
    again = cxr_here(*parallel, folder=work, **signed_in(server))  # what the restart interrupted, and nothing else
    assert again.returncode == 0, again.stderr
    sent = cxr_here("send", folder=work, **signed_in(server))
    assert sent.returncode == 0, sent.stderr

    runs = {run.info.run_id: run for run in runs_of(server, monkeypatch)}
    ended = [run.info.status for run in runs.values()]
    assert ended.count("FINISHED") == JOBS, f"{ended}\n{errors}\n{again.stderr}"
    assert "RUNNING" not in ended

    saved = server.do("backup", str(tmp_path / "saved"))
    assert saved.returncode == 0, saved.stderr
    assert server.do("backup", str(tmp_path / "saved")).returncode == 2
    assert "tables already" in server.do("restore", str(tmp_path / "saved")).stderr
    second = server_on(database, tmp_path, "second")
    restored = second.do("restore", str(tmp_path / "saved"))
    assert restored.returncode == 0, restored.stderr
    second.start()
    try:
        assert {run.info.run_id: run.to_dictionary() for run in runs_of(second, monkeypatch)} == {
            run_id: run.to_dictionary() for run_id, run in runs.items()
        }
        run_id, name = next((run_id, "of the second") for run_id, run in runs.items() if run.info.status == "FINISHED")
        model = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="model/model.keras", dst_path=str(tmp_path / name))
        assert Path(model).stat().st_size > 10_000
    finally:
        second.stop()


def test_runs_of_a_node_without_network_arrive_with_their_models(
    server: Server, tmp_path: Path, small_backbone: tuple[str, ...], cxr_here: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = ("tracking=offline", "tracking.run_name=alone")
    done = cxr_here(*SMALL, *small_backbone, *alone, folder=tmp_path, MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert done.returncode == 0, done.stderr
    for answer in ("1 sent", "1 there already"):
        sent = cxr_here("send", "mlruns", folder=tmp_path, **signed_in(server))
        assert sent.returncode == 0, sent.stderr
        assert answer in sent.stdout
    (run,) = [run for run in runs_of(server, monkeypatch) if run.info.run_name == "alone"]
    assert run.info.status == "FINISHED"
    assert run.data.metrics["test/accuracy"] >= 0
    assert run.outputs is not None
    assert len(run.outputs.model_outputs) == 1
    (listed,) = [line for line in cxr_here("runs", folder=tmp_path, **signed_in(server)).stdout.splitlines() if "alone" in line]
    assert "finished" in listed


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 90 MB."""
    place = Path(tempfile.mkdtemp(prefix="cxr-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=90m,mode=755", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs a small disk, which an administrator can mount")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)
    place.rmdir()


def test_database_whose_disk_is_full_loses_nothing(
    small_disk: Path, tmp_path: Path, compose_config: Compose, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fills up under a run, which keeps its results."""
    database = Database(small_disk)
    server = server_on(database, tmp_path, "full")
    server.start()
    try:
        monkeypatch.chdir(tmp_path)
        for name, value in signed_in(server).items():
            monkeypatch.setenv(name, value)
        config = compose_config("tracking=server")
        store = locate_store(config.tracking, config.work)
        open_store(store)
        with open_run(store, config, "under way", {}) as run:
            with (small_disk / "filler").open("wb") as filler, suppress(OSError):
                while True:
                    filler.write(bytes(2**16))
                    filler.flush()
            for step in range(3000):
                run.log_metrics({f"train/{number}": 0.1 for number in range(100)}, step)
                if run.lost:
                    break
            assert run.lost
        (small_disk / "filler").unlink()
        send.main([])
        (sent,) = [logged for logged in runs_of(server, monkeypatch) if logged.info.status == "FINISHED"]
        assert sent.info.run_id == run.id
        assert len(mlflow.MlflowClient().get_metric_history(run.id, "train/7")) == step + 1
    finally:
        server.stop()
        database.stop()


def test_settings_that_are_missing_or_not_changed_are_one_line(tmp_path: Path) -> None:
    bare = {"PATH": os.environ["PATH"]}
    done = subprocess.run([str(DEPLOY / "serve")], env=bare, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert done.stderr.strip() == "serve: MLFLOW_BACKEND_STORE_URI is not set: settings.example says what it is"
    lines = (DEPLOY / "settings.example").read_text().splitlines()
    example = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    environment = {**bare, **example}
    done = subprocess.run([str(DEPLOY / "serve")], env=environment, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "still change-me" in done.stderr
