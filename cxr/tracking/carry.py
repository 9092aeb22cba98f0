"""Carries runs of one store to another, each once however often it is repeated: from a node without network to a server."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.models import Model

from cxr.tracking.internals import ABOUT
from cxr.tracking.logged_run import folder_at
from cxr.tracking.outbox import Item, send
from cxr.tracking.search import ORIGIN, free_name
from cxr.tracking.store import Store, address_of, experiment_id

_CARRIED = "cxr.carried"  # what of the run is there, written last


def stores_in(folder: Path) -> list[str]:
    """The addresses of the MLflow stores in a folder: its own, or those of machines below it."""
    databases = {database for place in (".", "*", "offline/*") for database in folder.glob(f"{place}/mlflow.db")}
    return [address_of(database.resolve()) for database in sorted(databases)]


def carry_runs(source: str, target: Store) -> Iterator[tuple[Run, str]]:
    """Send every ended run of a store to the one that is open; raises MLflow's errors, and may be repeated after one.

    Yields each run, and what was done: "sent", "there already" or "under way".
    """
    client = MlflowClient(source)
    for experiment in client.search_experiments():
        runs = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"], max_results=50_000)
        for run in runs:
            yield run, "under way" if run.info.status == "RUNNING" else _carry(client, run, experiment.name, target)


def _carry(source: MlflowClient, run: Run, experiment: str, target: Store) -> str:
    client, state = MlflowClient(), _state_of(run)
    number = experiment_id(target, experiment)
    copies = client.search_runs([number], f"tags.`{ORIGIN}` = '{run.info.run_id}'")
    if copies and copies[0].data.tags.get(_CARRIED) == state:
        return "there already"
    if copies:
        copy_id = copies[0].info.run_id
    else:
        tags, name = {ORIGIN: run.info.run_id}, free_name(name_of(run), experiment)
        copy_id = client.create_run(number, run.info.start_time, tags, name).info.run_id
    for item in _items(source, run, has_model=bool(copies and _models_of(copies[0]))):
        send(copy_id, item)
    client.set_terminated(copy_id, run.info.status, run.info.end_time)
    client.set_tag(copy_id, _CARRIED, state)
    return "sent"


def name_of(run: Run) -> str:
    """A run's name; the beginning of its id for a run without one."""
    return str(run.info.run_name or run.info.run_id[:8])


def _items(source: MlflowClient, run: Run, has_model: bool) -> Iterator[Item]:
    """All of a run as items for another store. Items that are sent twice change nothing, but for a model."""
    yield {"kind": "params", "params": run.data.params}
    of_place = ("mlflow.", ORIGIN, _CARRIED)  # where the run lies, and where it was carried from before
    tags = {name: value for name, value in run.data.tags.items() if name in ABOUT or not name.startswith(of_place)}
    yield {"kind": "tags", "tags": tags}
    history = [point for name in sorted(run.data.metrics) for point in source.get_metric_history(run.info.run_id, name)]
    yield {"kind": "history", "points": [(point.key, point.value, point.timestamp, point.step) for point in history]}
    for dataset in [entry.dataset for entry in run.inputs.dataset_inputs] if run.inputs else []:
        profile = json.loads(dataset.profile or "{}")
        yield {"kind": "dataset", "name": dataset.name, "digest": dataset.digest, "profile": profile}
    folder = folder_at(run.info.artifact_uri or "")
    if folder is None or not folder.is_dir():
        return
    yield {"kind": "folder", "folder": str(folder)}
    if not has_model and (models := _models_of(run)):
        logged = folder_at(source.get_logged_model(models[0]).artifact_location)
        signature = Model.load(str(logged)).signature
        size, classes = signature.inputs.inputs[0].shape[1], signature.outputs.inputs[0].shape[1]
        yield {"kind": "model", "file": str(folder / "model/model.keras"), "image_size": size, "class_count": classes}


def _models_of(run: Run) -> list[str]:
    """The ids of the MLflow models that a run made."""
    return [model.model_id for model in run.outputs.model_outputs] if run.outputs else []


def _state_of(run: Run) -> str:
    """A hash that changes with anything of the run: an audit, an attempt that resumed it."""
    content = [run.info.status, run.info.end_time, sorted(run.data.tags.items()), sorted(run.data.metrics.items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
