"""The items that a run writes into its store, and the outbox: items that a lost server did not get, on disk until they are sent.

An outbox is a folder `mlruns/unsent/RUN_ID` with a line of JSON an item in `items.jsonl` and copies of the files they name.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cxr.text import in_shell
from cxr.tracking.models import log_dataset, log_model
from cxr.tracking.store import FOLDER, Store

PLACE = "unsent"  # in the work folder
_MODEL = "model.keras"

Item = dict[str, Any]  # a kind, and what `send` matches with it


def send(run_id: str, item: Item) -> None:
    """Write an item into a run of the open store; MLflow's errors pass through.

    Raises:
        ValueError: The item is of an unknown kind.
    """
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    client = MlflowClient()
    match item:
        case {"kind": "history", "points": points}:  # each with name, value, time in milliseconds, step
            client.log_batch(run_id, metrics=[Metric(*point) for point in points])
        case {"kind": "tags", "tags": tags}:
            client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])
        case {"kind": "params", "params": params}:
            client.log_batch(run_id, params=[Param(name, value) for name, value in params.items()])
        case {"kind": "folder", "folder": folder}:  # its files become artifacts of the same names
            client.log_artifacts(run_id, folder)
        case {"kind": "dataset", "name": name, "digest": digest, "profile": profile}:
            log_dataset(run_id, name, digest, profile)
        case {"kind": "model", "file": file, "image_size": size, "class_count": count}:
            log_model(run_id, file, size, count)
        case {"kind": "end", "status": status, "milliseconds": ended}:
            client.set_terminated(run_id, status, ended)
        case {"kind": "metrics", "values": values, "step": step, "milliseconds": time}:  # of version 0.2, as is the next
            client.log_batch(run_id, metrics=[Metric(name, value, time, step) for name, value in values.items()])
        case {"kind": "epochs", "epochs": epochs, "milliseconds": time}:
            send(
                run_id, {"kind": "history", "points": [[*value, time, step] for step, values in epochs for value in values.items()]}
            )
        case _:
            raise ValueError(f"an outbox holds an item of unknown kind {item.get('kind')!r}")


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
            shutil.copy(item["file"], copy / _MODEL)
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
        path = self.folder / "items.jsonl"
        text = path.read_text() if path.exists() else ""
        lines = text.splitlines(keepends=True)
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                break  # its process was killed while it wrote the last one
            item = json.loads(line)
            if item["kind"] == "folder":
                item["folder"] = str(self.folder / Path(item["folder"]).name)
            if item["kind"] == "model":
                item["file"] = str(self.folder / Path(item["file"]).name / _MODEL)
            send(self.run_id, item)
            rest = self.folder / "items.part"
            rest.write_text("".join(lines[number:]))
            rest.replace(path)
        shutil.rmtree(self.folder)

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
    return in_shell("cxr", "send", *([] if work == FOLDER else [work]))


def outboxes(work: Path = FOLDER) -> list[Outbox]:
    """Every outbox in a work folder, by the run's id."""
    return [Outbox(path.parent, **json.loads(path.read_text())) for path in sorted((work / PLACE).glob("*/run.json"))]
