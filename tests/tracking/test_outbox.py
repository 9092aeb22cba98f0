"""A server that is lost during a run: the run continues, and its results are sent later."""

import shutil
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
from cxr.tracking.outbox import PLACE, Item, Outbox, is_lost_connection, outboxes
from cxr.tracking.outbox import send as send_item
from cxr.tracking.process import TAG as PROCESS
from cxr.tracking.run import open_run
from cxr.tracking.store import FOLDER, Store, experiment_id, open_store
from tests.mlflow_server import MlflowServer

pytestmark = pytest.mark.slow

NOWHERE = "http://127.0.0.1:9"  # nothing answers there
NOTE: Item = {"kind": "tags", "tags": {"cxr.baseline": "there is none"}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture
def store(server: MlflowServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
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
    outputs = mlflow.get_run(run_id).outputs
    return [model.model_id for model in outputs.model_outputs] if outputs else []


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return cut_off_run(store)


def cut_off_run(store: Store) -> Outbox:
    """The outbox of a run that is RUNNING on the server, while its process is gone."""
    run = mlflow.MlflowClient().create_run(experiment_id(store, "cxr"), run_name="cut off")
    return Outbox(FOLDER / PLACE / run.info.run_id, store.uri, run.info.run_id, "cut off")


def history(*points: tuple[str, float, int]) -> Item:
    """Metrics, each with name, value and step."""
    return {"kind": "history", "points": [[name, value, 1000, step] for name, value, step in points]}


def end(status: str) -> Item:
    return {"kind": "end", "status": status, "milliseconds": 5000}


def model(file: Path) -> Item:
    return {"kind": "model", "file": str(file), "image_size": 8, "class_count": 2}


def test_results_kept_for_a_lost_server_are_sent_when_it_is_back(
    store: Store, server: MlflowServer, files: Path, capsys: pytest.CaptureFixture[str]
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
            pass  # the outbox of a living run is not sent yet
    logged = contents(files)
    shutil.rmtree(files)
    lost, kept = capsys.readouterr().err.splitlines()
    assert server.uri in lost
    assert str(FOLDER / PLACE / run.id) in kept
    assert kept.endswith("cxr send")

    unsent = contents(FOLDER / PLACE / run.id)
    with pytest.raises(UserError, match=f"no MLflow server answers at {server.uri}") as mistake:
        send.main([])
    assert "\n" not in str(mistake.value)
    assert contents(FOLDER / PLACE / run.id) == unsent

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


def test_server_that_is_back_before_the_end_gets_the_epochs_at_the_end(store: Store) -> None:
    """A resumed run logs its earlier epochs: it does so without asking the lost server which of them it has."""
    with open_run(store, Config(), "a run", {}) as run:
        run.log_metrics({"train/loss": 0.9}, step=1)
        mlflow.set_tracking_uri(NOWHERE)
        run.log_epochs([(1, {"train/loss": 0.9}), (2, {"train/loss": 0.5})])
        mlflow.set_tracking_uri(store.uri)
    known = known_of(run.id)
    assert known["status"] == "FINISHED"
    assert set(known["metrics"]) == {("train/loss", 1, 0.9), ("train/loss", 2, 0.5)}
    assert list((FOLDER / PLACE).iterdir()) == []


def test_lost_server_leaves_a_run_without_a_baseline_and_says_why(store: Store) -> None:
    tags = dict.fromkeys(SAME, "abc")
    predictions = Predictions(("a.png",), ("no", "yes"), np.array([1]), np.array([[0.25, 0.75]]))
    mlflow.set_tracking_uri(NOWHERE)
    comparison = against_baseline(tags, predictions, Provenance({}, (), ""))
    assert comparison.baseline is None
    assert "lost" in comparison.reason
    assert "\n" not in comparison.reason


def test_items_that_are_sent_twice_are_there_once(outbox: Outbox, files: Path) -> None:
    points = history(("train/loss", 0.5, 1), ("train/loss", 0.25, 2))
    late: Item = {"kind": "params", "params": {"late": "yes"}}
    known = []
    for _ in range(2):
        for item in (points, late, NOTE, {"kind": "folder", "folder": str(files)}, end("FINISHED")):
            outbox.keep(item)
        send.main([])
        known.append(known_of(outbox.run_id))
    assert known[0] == known[1]
    assert known[0]["metrics"] == [("train/loss", 1, 0.5), ("train/loss", 2, 0.25)]
    assert mlflow.get_run(outbox.run_id).info.end_time == 5000  # when it ended, not when it was sent


def test_outbox_of_version_0_2_is_sent(outbox: Outbox) -> None:
    outbox.keep({"kind": "metrics", "values": {"val/loss": 0.5, "train/loss": 0.25}, "step": 1, "milliseconds": 1000})
    outbox.keep({"kind": "epochs", "epochs": [[2, {"val/loss": 0.75}], [3, {"val/loss": 1.0}]], "milliseconds": 1000})
    send.main([])
    assert known_of(outbox.run_id)["metrics"] == [
        *[("train/loss", 1, 0.25), ("val/loss", 1, 0.5), ("val/loss", 2, 0.75), ("val/loss", 3, 1.0)]
    ]


def test_half_an_item_is_left_out_and_an_unknown_one_refused(outbox: Outbox) -> None:
    outbox.keep(NOTE)
    with (outbox.folder / "items.jsonl").open("a") as file:
        file.write('{"kind": "ta')  # its process was killed
    send.main([])
    assert known_of(outbox.run_id)["tags"] == {"cxr.baseline": "there is none"}
    outbox.keep({"kind": "dream"})
    with pytest.raises(UserError, match=r"can't be sent .*unknown kind 'dream'.*: it stays in"):
        send.main([])


def test_resumed_run_keeps_the_status_of_its_last_attempt(store: Store, outbox: Outbox) -> None:
    outbox.keep(history(("train/loss", 0.5, 1)))
    outbox.keep(end("KILLED"))
    with open_run(store, Config(), "cut off", {}, resumed=outbox.run_id) as run:
        run.log_metrics({"train/loss": 0.25}, step=2)
    send.main([])
    known = known_of(run.id)
    assert known["metrics"] == [("train/loss", 1, 0.5), ("train/loss", 2, 0.25)]
    assert known["status"] == "FINISHED"


def test_run_that_can_not_be_sent_does_not_hold_up_the_others(store: Store) -> None:
    deleted, fine = sorted([cut_off_run(store), cut_off_run(store)], key=lambda outbox: outbox.run_id)
    for outbox in (deleted, fine):
        outbox.keep(end("FINISHED"))
    mlflow.delete_run(deleted.run_id)
    with pytest.raises(UserError, match=deleted.run_id[:8]):
        send.main([])
    assert deleted.folder.exists()
    assert mlflow.get_run(fine.run_id).info.status == "FINISHED"


def test_refusal_of_the_server_is_an_error(store: Store) -> None:
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
    ("error", "is_lost"),
    [
        (NoConnection("refused"), True),
        (MlflowException("API request failed"), True),
        (answer(503), True),
        (answer(413), False),
        (FileNotFoundError("no such file on this disk"), False),
    ],
    ids=["no-connection", "no-answer", "server-overloaded", "artifact-too-large", "own-disk"],
)
def test_only_a_lost_connection_is_taken_for_one(error: Exception, is_lost: bool) -> None:
    assert is_lost_connection(error) is is_lost


def test_kept_model_can_be_loaded_from_the_server(outbox: Outbox, tmp_path: Path) -> None:
    import keras
    import mlflow.keras

    layers = [keras.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, activation="softmax")]
    network = keras.Sequential(layers)
    network.save(tmp_path / "network.keras")
    outbox.keep(model(tmp_path / "network.keras"))
    (tmp_path / "network.keras").unlink()
    send.main([])
    (model_id,) = models_of(outbox.run_id)
    loaded = mlflow.keras.load_model(f"models:/{model_id}")
    image = np.random.default_rng(0).uniform(0, 255, (1, 8, 8, 3)).astype("float32")
    np.testing.assert_array_equal(loaded(image), network(image))
    assert mlflow.get_run(outbox.run_id).info.status == "RUNNING"  # its process recorded no end


def test_model_is_sent_once_though_the_server_is_lost_again(
    store: Store, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost_at_tags(run_id: str, item: Item) -> None:
        if item["kind"] == "tags":
            raise NoConnection("refused")
        send_item(run_id, item)

    (tmp_path / "network.keras").write_bytes(b"weights")
    outbox.keep(model(tmp_path / "network.keras"))
    outbox.keep(NOTE)
    with monkeypatch.context() as patch:
        patch.setattr("cxr.tracking.outbox.send", lost_at_tags)
        with pytest.raises(UserError, match="the server was lost: give the same command again, it sends what is missing"):
            send.main([])
    send.main([])
    assert len(models_of(outbox.run_id)) == 1
