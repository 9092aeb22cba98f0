"""A server that is lost during a run: the run continues, and its results are sent later."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from filelock import Timeout
from mlflow.exceptions import MlflowException
from requests import ConnectionError as NoConnection
from requests import HTTPError, Response

from cxr.commands import send
from cxr.compare.baseline import against_baseline
from cxr.compare.runs import SAME
from cxr.config.fields import flat_params
from cxr.config.provenance import Provenance
from cxr.config.schema import Config
from cxr.errors import RunFailed, UserError
from cxr.evaluation.predictions import Predictions
from cxr.tracking.outbox import (
    PLACE,
    Item,
    Outbox,
    end_item,
    folder_item,
    is_lost_connection,
    metrics_item,
    model_item,
    outboxes,
    params_item,
    tags_item,
)
from cxr.tracking.outbox import send as send_item
from cxr.tracking.process import TAG as PROCESS
from cxr.tracking.run import open_run
from cxr.tracking.store import FOLDER, Store, experiment_id, open_store

pytestmark = pytest.mark.slow

HOST = "127.0.0.1"
NOWHERE = f"http://{HOST}:9"  # nothing answers there


class Server:
    """An `mlflow server` that can be killed, and started again at the same address and on the same store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server((HOST, 0)) as probe:
            self.port = probe.getsockname()[1]
        self.uri = f"http://{HOST}:{self.port}"
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(self.port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{self.folder}/server.db"]
        command += ["--artifacts-destination", str(self.folder / "artifacts")]
        lean = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        log = self.folder / "server.log"
        with log.open("a") as output:  # a session of its own: whoever kills the server has to kill its workers too
            self.process = subprocess.Popen(
                command, env={**os.environ, **lean}, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
                return
            except OSError:
                ended = self.process.poll() is not None
                if ended or time.monotonic() > deadline:
                    self.kill()
                    pytest.fail(f"the server {'ended' if ended else 'never answered'}:\n{log.read_text()[-2000:]}")
                time.sleep(0.1)

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture
def store(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The server's store, open, seen from a fresh folder."""
    if server.process.poll() is not None:  # another test left it dead
        server.start()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    store = Store(server.uri, None)
    open_store(store)
    return store


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder to be logged."""
    (tmp_path / "results/model").mkdir(parents=True)
    (tmp_path / "results/report.html").write_text("<p>Grüße\n")
    (tmp_path / "results/model/model.keras").write_bytes(bytes(range(256)) * 400)
    return tmp_path / "results"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in a folder, by name."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def known_of(run_id: str) -> dict[str, Any]:
    """All that the server knows of a run."""
    client = mlflow.MlflowClient()
    run = client.get_run(run_id)
    history = [point for name in run.data.metrics for point in client.get_metric_history(run_id, name)]
    return {
        "status": run.info.status,
        "metrics": sorted((point.key, point.step, point.value) for point in history),
        "tags": {name: value for name, value in run.data.tags.items() if name.startswith("cxr.") and name != PROCESS},
        "params": run.data.params,
        "artifacts": contents(Path(mlflow.artifacts.download_artifacts(run_id=run_id))),
    }


def models_of(run_id: str) -> list[str]:
    """The ids of the MLflow models that a run made."""
    made = mlflow.get_run(run_id).outputs
    return [model.model_id for model in made.model_outputs] if made else []


def cut_off_run(store: Store) -> Outbox:
    """The outbox of a run that is RUNNING on the server, while its process is gone."""
    run = mlflow.MlflowClient().create_run(experiment_id(store, "cxr"), run_name="cut off")
    return Outbox(FOLDER / PLACE / run.info.run_id, store.uri, run.info.run_id, "cut off")


def test_a_run_on_a_server_that_stays_leaves_nothing_behind(store: Store, files: Path) -> None:
    with open_run(store, Config(), "a run", {"cxr.role": "candidate"}) as run:
        run.log_metrics({"train/loss": 0.9, "val/loss": 1.1}, step=1)
        run.log_metrics({"train/loss": 0.1 + 0.2}, step=2)
        run.set_tags({"cxr.baseline": "there is none"})
        run.log_folder(files)
    assert known_of(run.id) == {
        "status": "FINISHED",
        "metrics": [("train/loss", 1, 0.9), ("train/loss", 2, 0.1 + 0.2), ("val/loss", 1, 1.1)],
        "tags": {"cxr.role": "candidate", "cxr.stage": "finished", "cxr.baseline": "there is none"},
        "params": flat_params(Config()),
        "artifacts": contents(files),
    }
    assert list((FOLDER / PLACE).iterdir()) == []


def test_a_lost_server_is_told_the_rest_when_it_is_back(
    store: Store, server: Server, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_run(store, Config(), "a run", {"cxr.role": "candidate"}) as run:
        run.log_metrics({"train/loss": 0.9}, step=1)
        server.kill()
        run.log_metrics({"train/loss": 0.1 + 0.2, "val/loss": 1.1}, step=2)
        run.log_metrics({"train/loss": 0.25}, step=3)
        run.set_tags({"cxr.baseline": "there is none"})
        run.log_params({"late": "yes"})
        run.log_folder(files)
        (living,) = outboxes()
        with pytest.raises(Timeout), living.held(timeout=0):
            pass  # what lives is not sent yet
    logged = contents(files)
    shutil.rmtree(files)
    lost, end = capsys.readouterr().err.splitlines()
    assert server.uri in lost
    assert str(FOLDER / PLACE / run.id) in end
    assert end.endswith("cxr send")

    kept = contents(FOLDER / PLACE / run.id)
    with pytest.raises(UserError, match=f"no MLflow server answers at {server.uri}") as mistake:
        send.main([])
    assert "\n" not in str(mistake.value)
    assert contents(FOLDER / PLACE / run.id) == kept

    server.start()
    send.main([])
    assert f"Sent {run.name} ({run.id[:8]}) to {server.uri}." in capsys.readouterr().out
    assert known_of(run.id) == {
        "status": "FINISHED",
        "metrics": [("train/loss", 1, 0.9), ("train/loss", 2, 0.1 + 0.2), ("train/loss", 3, 0.25), ("val/loss", 2, 1.1)],
        "tags": {"cxr.role": "candidate", "cxr.stage": "finished", "cxr.baseline": "there is none"},
        "params": flat_params(Config()) | {"late": "yes"},
        "artifacts": logged,
    }
    assert not (FOLDER / PLACE / run.id).exists()
    send.main([])
    assert "Nothing waits to be sent." in capsys.readouterr().out


def test_a_server_that_is_back_before_the_end_is_told_at_the_end(store: Store) -> None:
    with open_run(store, Config(), "a run", {}) as run:
        mlflow.set_tracking_uri(NOWHERE)
        run.log_metrics({"train/loss": 0.9}, step=1)
        mlflow.set_tracking_uri(store.uri)
    known = known_of(run.id)
    assert (known["status"], known["metrics"]) == ("FINISHED", [("train/loss", 1, 0.9)])
    assert list((FOLDER / PLACE).iterdir()) == []


def test_a_run_that_goes_on_does_not_ask_a_lost_server(store: Store) -> None:
    with open_run(store, Config(), "a run", {}) as run:
        run.log_metrics({"train/loss": 0.9}, step=1)
        mlflow.set_tracking_uri(NOWHERE)
        run.log_epochs([(1, {"train/loss": 0.9}), (2, {"train/loss": 0.5})])
    send.main([])
    known = known_of(run.id)
    assert known["status"] == "FINISHED"
    assert set(known["metrics"]) == {("train/loss", 1, 0.9), ("train/loss", 2, 0.5)}


def test_a_lost_server_leaves_a_run_without_a_baseline_and_says_why(store: Store) -> None:
    tags = dict.fromkeys(SAME, "abc")
    predictions = Predictions(("a.png",), ("no", "yes"), np.array([1]), np.array([[0.25, 0.75]]))
    mlflow.set_tracking_uri(NOWHERE)
    found = against_baseline(tags, predictions, Provenance({}, (), ""))
    assert found.baseline is None
    assert "lost" in found.reason
    assert "\n" not in found.reason


def test_what_is_sent_twice_is_there_once(store: Store, files: Path) -> None:
    outbox = cut_off_run(store)
    items: list[Item] = [metrics_item({"train/loss": 0.5}, 1), metrics_item({"train/loss": 0.25}, 2), params_item({"late": "yes"})]
    items += [tags_item({"cxr.baseline": "there is none"}), folder_item(files), end_item("FINISHED")]
    known = []
    for _ in range(2):
        for item in items:
            outbox.keep(item)
        send.main([])
        known.append(known_of(outbox.run_id))
    assert known[0] == known[1]
    assert known[0]["metrics"] == [("train/loss", 1, 0.5), ("train/loss", 2, 0.25)]


def test_a_run_ends_when_it_ended_not_when_it_is_sent(store: Store) -> None:
    outbox = cut_off_run(store)
    outbox.keep(end_item("FINISHED"))
    ended = time.time_ns() // 1_000_000
    while time.time_ns() // 1_000_000 < ended + 20:
        time.sleep(0.01)
    send.main([])
    assert mlflow.get_run(outbox.run_id).info.end_time <= ended


def test_a_run_that_is_gone_on_with_keeps_the_status_of_its_last_attempt(store: Store) -> None:
    outbox = cut_off_run(store)
    outbox.keep(metrics_item({"train/loss": 0.5}, 1))
    outbox.keep(end_item("KILLED"))
    with open_run(store, Config(), "cut off", {}, go_on=outbox.run_id) as run:
        run.log_metrics({"train/loss": 0.25}, step=2)
    send.main([])
    known = known_of(run.id)
    assert known["metrics"] == [("train/loss", 1, 0.5), ("train/loss", 2, 0.25)]
    assert known["status"] == "FINISHED"


def test_one_run_that_can_not_be_sent_does_not_hold_up_the_others(store: Store) -> None:
    deleted, fine = sorted([cut_off_run(store), cut_off_run(store)], key=lambda outbox: outbox.run_id)
    for outbox in (deleted, fine):
        outbox.keep(end_item("FINISHED"))
    mlflow.delete_run(deleted.run_id)
    with pytest.raises(UserError, match=deleted.run_id[:8]):
        send.main([])
    assert deleted.folder.exists()
    assert mlflow.get_run(fine.run_id).info.status == "FINISHED"


def test_what_the_server_refuses_is_an_error(store: Store) -> None:
    opened = open_run(store, Config(), "a run", {})
    with pytest.raises(RunFailed, match="Changing param values is not allowed"), opened as run:
        run.log_params({"freeze.trainable_from": "elsewhere"})
    known = known_of(run.id)
    assert known["status"] == "FAILED"
    assert known["tags"]["cxr.failure"].startswith(
        "the store in http://127.0.0.1 can't be used (RestException: INVALID_PARAMETER_VALUE"
    )
    assert list((FOLDER / PLACE).iterdir()) == []


def answer(status: int) -> HTTPError:
    """What requests raises for an artifact that a server does not take."""
    response = Response()
    response.status_code = status
    return HTTPError(f"{status} Error", response=response)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (NoConnection("refused"), True),
        (MlflowException("API request failed"), True),
        (answer(503), True),
        (answer(413), False),
        (FileNotFoundError("no such file on this disk"), False),
    ],
    ids=["no-connection", "no-answer", "server-overloaded", "artifact-too-large", "own-disk"],
)
def test_only_a_lost_connection_is_taken_for_one(error: Exception, lost: bool) -> None:
    assert is_lost_connection(error) is lost


def test_a_model_that_was_kept_can_be_loaded_from_the_server(store: Store, tmp_path: Path) -> None:
    import keras
    import mlflow.keras

    layers = [keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, activation="softmax")]
    network = keras.Sequential(layers)
    network.save(tmp_path / "network.keras")
    outbox = cut_off_run(store)
    outbox.keep(model_item(tmp_path / "network.keras", image_size=8, class_count=2))
    (tmp_path / "network.keras").unlink()
    send.main([])
    (model_id,) = models_of(outbox.run_id)
    loaded = mlflow.keras.load_model(f"models:/{model_id}")
    image = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(loaded(image), network(image))


def test_sending_a_model_does_not_end_its_run(store: Store, tmp_path: Path) -> None:
    (tmp_path / "network.keras").write_bytes(b"weights")
    outbox = cut_off_run(store)
    outbox.keep(model_item(tmp_path / "network.keras", image_size=8, class_count=2))
    send.main([])
    assert mlflow.get_run(outbox.run_id).info.status == "RUNNING"  # its process never said how it ended


def test_a_model_is_sent_once_though_the_server_is_lost_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost_at_tags(run_id: str, item: Item) -> None:
        if item["kind"] == "tags":
            raise NoConnection("refused")
        send_item(run_id, item)

    (tmp_path / "network.keras").write_bytes(b"weights")
    outbox = cut_off_run(store)
    outbox.keep(model_item(tmp_path / "network.keras", image_size=8, class_count=2))
    outbox.keep(tags_item({"cxr.baseline": "there is none"}))
    with monkeypatch.context() as patch:
        patch.setattr("cxr.tracking.outbox.send", lost_at_tags)
        with pytest.raises(UserError, match=f"{store.uri} was lost again: everything not sent is still in"):
            send.main([])
    send.main([])
    assert len(models_of(outbox.run_id)) == 1
