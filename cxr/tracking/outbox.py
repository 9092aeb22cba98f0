"""The outbox of a run: items for the store. Items that a lost server did not get stay on disk and are sent later.

An outbox is a folder `mlruns/unsent/RUN_ID` with a line of JSON an item in `items.jsonl` and copies of the files they name.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cxr.tracking.limits import METRICS_AT_ONCE, OTHERS_AT_ONCE
from cxr.tracking.store import FOLDER, Store

PLACE = "unsent"  # in the work folder

Item = dict[str, Any]


def metrics_item(values: Mapping[str, float], step: int) -> Item:
    """Metrics at a step, with their time."""
    return {"kind": "metrics", "values": dict(values), "step": step, "milliseconds": _now()}


def epochs_item(epochs: Sequence[tuple[int, Mapping[str, float]]]) -> Item:
    """Metrics of several epochs at once: the number of each, and its values."""
    return {"kind": "epochs", "epochs": [[number, dict(values)] for number, values in epochs], "milliseconds": _now()}


def history_item(points: Sequence[tuple[str, float, int, int]]) -> Item:
    """Metrics as an earlier store had them: name, value, time in milliseconds, step."""
    return {"kind": "history", "points": [list(point) for point in points]}


def tags_item(tags: Mapping[str, str]) -> Item:
    """Tags to set."""
    return {"kind": "tags", "tags": dict(tags)}


def params_item(params: Mapping[str, str]) -> Item:
    """Params to log."""
    return {"kind": "params", "params": dict(params)}


def folder_item(folder: Path) -> Item:
    """Artifacts: everything in a folder, under the same names."""
    return {"kind": "folder", "folder": str(folder)}


def model_item(file: Path, image_size: int, class_count: int) -> Item:
    """A saved `.keras` file, to be kept as an MLflow model too."""
    return {"kind": "model", "file": str(file), "image_size": image_size, "class_count": class_count}


def dataset_item(name: str, digest: str, profile: Mapping[str, object]) -> Item:
    """The manifest that a run logs, as an MLflow dataset: a name, a fingerprint, and counts."""
    return {"kind": "dataset", "name": name, "digest": digest, "profile": dict(profile)}


def end_item(status: str) -> Item:
    """How the run ended, FINISHED, FAILED or KILLED, and when."""
    return {"kind": "end", "status": status, "milliseconds": _now()}


def _now() -> int:
    return int(time.time() * 1000)


def send(run_id: str, item: Item) -> None:
    """Send an item to the store; raises MLflow's errors."""
    from mlflow import MlflowClient

    client = MlflowClient()
    match item["kind"]:
        case "metrics" | "epochs" | "history" | "tags" | "params":
            _log_entries(run_id, item)
        case "folder":
            client.log_artifacts(run_id, item["folder"])
        case "dataset":
            _log_dataset(run_id, item)
        case "model":
            _log_model(run_id, item)
        case "end":
            client.set_terminated(run_id, item["status"], item["milliseconds"])
        case kind:
            raise ValueError(f"an outbox holds an item of unknown kind {kind!r}")


def _log_entries(run_id: str, item: Item) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    client = MlflowClient()
    if item["kind"] == "history":
        for some in _batches([Metric(*point) for point in item["points"]], METRICS_AT_ONCE):
            client.log_batch(run_id, metrics=some)
    elif item["kind"] in ("metrics", "epochs"):
        when, steps = item["milliseconds"], item["epochs"] if item["kind"] == "epochs" else [[item["step"], item["values"]]]
        metrics = [Metric(name, value, when, step) for step, values in steps for name, value in values.items()]
        for some in _batches(metrics, METRICS_AT_ONCE):
            client.log_batch(run_id, metrics=some)
    elif item["kind"] == "tags":
        for some in _batches([RunTag(name, value) for name, value in item["tags"].items()], OTHERS_AT_ONCE):
            client.log_batch(run_id, tags=some)
    else:
        for some in _batches([Param(name, value) for name, value in item["params"].items()], OTHERS_AT_ONCE):
            client.log_batch(run_id, params=some)


def _log_dataset(run_id: str, item: Item) -> None:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, DatasetInput, InputTag

    source = json.dumps({"uri": f"runs:/{run_id}/data/manifest.csv"})
    dataset = Dataset(item["name"], item["digest"], "artifact", source, profile=json.dumps(item["profile"]))
    MlflowClient().log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "images")])])


def _batches(items: list[Any], most: int) -> Iterator[list[Any]]:
    """Batches of the size that MLflow takes in one request."""
    for start in range(0, len(items), most):
        yield items[start : start + most]


@dataclass(frozen=True)
class _Saved:
    """A model that is already on disk, in the form that MLflow saves: this avoids writing it again."""

    file: str

    def save(self, path: str) -> None:
        shutil.copy(self.file, path)


def _log_model(run_id: str, item: Item) -> None:
    import mlflow.keras
    import numpy as np
    from mlflow.models import Model, ModelSignature
    from mlflow.types import Schema, TensorSpec

    size = item["image_size"]
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(np.float32), (-1, size, size, 3))]),
        outputs=Schema([TensorSpec(np.dtype(np.float32), (-1, item["class_count"]))]),
    )
    needed = [f"{package}=={version(package)}" for package in ("keras", "numpy", "tensorflow")]
    saved, client = _Saved(item["file"]), mlflow.MlflowClient()
    # By itself MLflow would put the model into the experiment that is active, and none is.
    experiment = client.get_run(run_id).info.experiment_id
    made = client.create_logged_model(experiment, name="model", source_run_id=run_id)
    Model.log(
        None,
        mlflow.keras,
        name="model",
        run_id=run_id,
        model_id=made.model_id,
        model=saved,
        signature=signature,
        pip_requirements=needed,
    )


def is_lost_connection(error: Exception) -> bool:
    """Whether the store could not be reached; not whether it rejected an item."""
    from mlflow.exceptions import MlflowException
    from requests import HTTPError, RequestException

    if isinstance(error, MlflowException):
        return error.error_code in ("INTERNAL_ERROR", "TEMPORARILY_UNAVAILABLE", "DEADLINE_EXCEEDED")
    if isinstance(error, HTTPError) and error.response is not None:
        return error.response.status_code >= 500 or error.response.status_code in (408, 429)  # timeout, too many requests
    return isinstance(error, RequestException | ConnectionError | TimeoutError)


@dataclass
class Outbox:
    """The unsent items of one run, in order."""

    folder: Path
    uri: str
    run_id: str
    name: str

    @classmethod
    def of(cls, store: Store, run_id: str, name: str) -> "Outbox | None":
        """The outbox of a run in a store whose connection may be lost; None if the store is a file on this machine."""
        return cls(store.work / PLACE / run_id, store.uri, run_id, name) if store.is_remote else None

    def keep(self, item: Item) -> None:
        """Keep an item on disk, with copies of its files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        copy = self.folder / f"files-{len(list(self.folder.glob('files-*')))}"
        if item["kind"] == "folder":
            shutil.copytree(item["folder"], copy)
            item = {**item, "folder": copy.name}
        if item["kind"] == "model":
            copy.mkdir()
            shutil.copy(item["file"], copy / "model.keras")
            item = {**item, "file": copy.name}
        if not (self.folder / "run.json").exists():
            (self.folder / "run.json").write_text(json.dumps({"uri": self.uri, "run_id": self.run_id, "name": self.name}))
        with (self.folder / "items.jsonl").open("a") as file:
            file.write(json.dumps(item) + "\n")

    def deliver(self) -> None:
        """Send everything, oldest first, then remove the folder; raises MLflow's errors, and keeps unsent items.

        An item may be sent twice, if the server took it without an answer: metrics keep their time, and
        everything else has a name.
        """
        lines = self._lines()
        for done, line in enumerate(lines, 1):
            item = json.loads(line)
            if item["kind"] == "folder":
                item["folder"] = str(self.folder / Path(item["folder"]).name)
            if item["kind"] == "model":
                item["file"] = str(self.folder / Path(item["file"]).name / "model.keras")
            send(self.run_id, item)
            left = self.folder / "items.part"
            left.write_text("".join(f"{each}\n" for each in lines[done:]))
            left.replace(self.folder / "items.jsonl")
        shutil.rmtree(self.folder)

    def _lines(self) -> list[str]:
        """The complete items."""
        path = self.folder / "items.jsonl"
        text = path.read_text() if path.exists() else ""
        return text[: text.rfind("\n") + 1].splitlines()

    @contextmanager
    def held(self, timeout: float = -1) -> Iterator[None]:
        """The lock of the run while its process lives, and of the sender afterwards; raises filelock's `Timeout`."""
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder.with_suffix(".lock"))
        with lock.acquire(timeout=timeout):
            try:
                yield
            finally:
                Path(lock.lock_file).unlink(missing_ok=True)


def deliver_kept(store: Store) -> None:
    """Send what this work folder keeps for a store that is back: a run that only waits to be sent is not trained again."""
    for outbox in outboxes(store.work) if store.is_remote else ():
        if outbox.uri == store.uri:
            try:
                with suppress(Timeout), outbox.held(timeout=0):  # one that is under way sends itself
                    outbox.deliver()
            except Exception as error:  # of the network, or the store refuses it; cxr send tells more
                print(f"cxr: {outbox.name} still waits to be sent ({' '.join(str(error).split())[:200]})", file=sys.stderr)


def command_to_send(work: Path) -> str:
    """The command that sends what waits in a work folder."""
    return "cxr send" if work == FOLDER else f"cxr send {work}"


def outboxes(work: Path = FOLDER) -> list[Outbox]:
    """Every outbox in a work folder, by the run's id."""
    found = []
    for facts in sorted((work / PLACE).glob("*/run.json")):
        said = json.loads(facts.read_text())
        found.append(Outbox(facts.parent, said["uri"], said["run_id"], said["name"]))
    return found
