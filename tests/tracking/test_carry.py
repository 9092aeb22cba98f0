"""Runs of a store on this machine reach a server whole, and once however often they are sent."""

from contextlib import suppress
from pathlib import Path

import mlflow
import pytest

from cxr.commands import send
from cxr.errors import UserError
from cxr.tracking.carry import carry_runs, name_of, stores_in
from cxr.tracking.run import open_run
from cxr.tracking.search import ORIGIN, filtered_runs, find_run
from cxr.tracking.store import Store, locate_store, open_store
from tests.conftest import Compose

Offline = tuple[str, dict[str, str]]


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compose_config: Compose) -> Offline:
    """A store of a machine without network with a finished, an interrupted and a running run: its address, and ids by name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://nowhere.example")  # which offline does not use
    config = compose_config("tracking=offline")
    store = locate_store(config.tracking, config.work)
    open_store(store)
    (tmp_path / "results/data").mkdir(parents=True)
    (tmp_path / "results/data/manifest.csv").write_text("path\na.png\n")
    ids = {}
    with open_run(store, config, "whole", {"cxr.sweep_id": "loss-12"}) as run:
        run.log_metrics({"train/loss": 0.5}, 1)
        run.log_metrics({"train/loss": 0.25}, 2)
        run.log_folder(tmp_path / "results")
        run.log_dataset("images", "abc", {"images": 1})
        ids["whole"] = run.id
    with suppress(KeyboardInterrupt), open_run(store, config, "interrupted", {}) as run:
        ids["interrupted"] = run.id
        raise KeyboardInterrupt
    ids["running"] = mlflow.MlflowClient().create_run("1", run_name="running").info.run_id
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    (source,) = stores_in(tmp_path / "mlruns")
    assert store.uri.startswith(source)
    return source, ids


@pytest.fixture
def target(tmp_path: Path) -> Store:
    """Another store; here a file, since MLflow's client asks a server in the same words."""
    return store_in(tmp_path / "server")


def store_in(folder: Path) -> Store:
    """A new store, open."""
    folder.mkdir()
    store = Store(f"sqlite:///{folder}/mlflow.db", folder)
    open_store(store)
    return store


def outcomes(source: str, target: Store) -> dict[str, str]:
    """What was done with each run, by name."""
    return {name_of(run): outcome for run, outcome in carry_runs(source, target)}


def test_each_ended_run_arrives_once(offline: Offline, target: Store) -> None:
    source, ids = offline
    assert outcomes(source, target) == {"whole": "sent", "interrupted": "sent", "running": "under way"}
    there = {run.name: run for run in filtered_runs("")}
    assert {name: run.status for name, run in there.items()} == {"whole": "FINISHED", "interrupted": "KILLED"}
    assert there["whole"].is_finished
    assert there["whole"].tags["cxr.sweep_id"] == "loss-12"
    assert there["whole"].params["tracking.name"] == "offline"
    assert there["whole"].file("data/manifest.csv").read_text() == "path\na.png\n"
    client, origin = mlflow.MlflowClient(), mlflow.MlflowClient(source)
    points = [(point.value, point.step, point.timestamp) for point in client.get_metric_history(there["whole"].id, "train/loss")]
    assert points == [(p.value, p.step, p.timestamp) for p in origin.get_metric_history(ids["whole"], "train/loss")]
    arrived = client.get_run(there["whole"].id)
    assert arrived.inputs is not None
    assert arrived.inputs.dataset_inputs[0].dataset.digest == "abc"
    assert arrived.info.end_time == origin.get_run(ids["whole"]).info.end_time
    assert find_run(ids["whole"][:8], target).id == there["whole"].id  # by the id that it had

    assert outcomes(source, target) == {"whole": "there already", "interrupted": "there already", "running": "under way"}
    assert len(filtered_runs("")) == 2

    origin.set_tag(ids["whole"], "cxr.audit", "none")  # it was audited since
    assert outcomes(source, target)["whole"] == "sent"
    assert {run.tags.get("cxr.audit") for run in filtered_runs("") if run.name == "whole"} == {"none"}
    assert len(filtered_runs("")) == 2


def test_carried_run_is_carried_further_once(offline: Offline, target: Store, tmp_path: Path) -> None:
    """From a node to a server of the lab, and from there to another: each knows the run by the id that the one before gave it."""
    list(carry_runs(offline[0], target))
    first = {run.name: run.id for run in filtered_runs("")}
    second = store_in(tmp_path / "second")
    for outcome in ("sent", "there already"):
        assert outcomes(target.uri, second) == dict.fromkeys(first, outcome)
    assert {run.name: run.tags[ORIGIN] for run in filtered_runs("")} == first


def test_carrying_that_was_cut_off_is_resumed(offline: Offline, target: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    source, ids = offline

    def lost(run_id: str, item: object) -> None:
        raise ConnectionError("the cable")

    with monkeypatch.context() as patch:
        patch.setattr("cxr.tracking.carry.send", lost)
        with pytest.raises(ConnectionError):
            list(carry_runs(source, target))
    (begun,) = filtered_runs("")
    assert begun.tags[ORIGIN] == ids["whole"]
    assert begun.status == "RUNNING"
    assert outcomes(source, target)["whole"] == "sent"
    (whole,) = (run for run in filtered_runs("") if run.name == "whole")
    assert whole.id == begun.id
    assert whole.is_finished


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["nowhere"], r"is no folder: name the work\.dir of the runs"),
        (["mlruns"], "name the server that gets the runs"),
        (["mlruns", "--uri", "http://127.0.0.1:9"], r"no MLflow server answers at http://127\.0\.0\.1:9"),
    ],
)
def test_mistake_is_one_line(arguments: list[str], answer: str, offline: Offline) -> None:
    with pytest.raises(UserError, match=answer):
        send.main(arguments)
