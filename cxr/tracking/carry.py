"""Carries runs of one store to another, each once however often it is repeated: from a node without network to a server."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.models import Model

from cxr.tracking.outbox import Item, dataset_item, folder_item, history_item, model_item, params_item, send, tags_item
from cxr.tracking.search import ORIGIN, folder_at, free_name
from cxr.tracking.store import Store, address_of, experiment_id

_DATABASE = "mlflow.db"
_CARRIED = "cxr.carried"  # what of the run is there, written last
# MLflow's own tags that say something of a run elsewhere; the others it sets itself.
_OF_MLFLOW = ("mlflow.note.content", "mlflow.user", "mlflow.source.name", "mlflow.source.type", "mlflow.loggedArtifacts")


@dataclass(frozen=True)
class Carried:
    """One run that was looked at: what was done with it."""

    name: str
    id: str  # where it comes from
    done: str  # "sent", "there already", or "under way"


def stores_in(folder: Path) -> list[str]:
    """The addresses of the MLflow stores in a folder: its own, or those of machines below it."""
    found = sorted({*folder.glob(_DATABASE), *folder.glob(f"*/{_DATABASE}"), *folder.glob(f"offline/*/{_DATABASE}")})
    return [address_of(database.resolve()) for database in found]


def carry_runs(source: str, target: Store) -> Iterator[Carried]:
    """Send every ended run of a store to the one that is open, and tell of each. Raises MLflow's errors; repeat it after one."""
    client = MlflowClient(source)
    experiments = {each.experiment_id: each.name for each in client.search_experiments()}
    for number, experiment in experiments.items():
        for run in client.search_runs([number], order_by=["attributes.start_time ASC"], max_results=50_000):
            yield _carry(client, run, experiment, target)


def _carry(source: MlflowClient, run: Run, experiment: str, target: Store) -> Carried:
    name, origin = run.info.run_name or run.info.run_id[:8], run.info.run_id
    if run.info.status == "RUNNING":
        return Carried(name, origin, "under way")
    here, state = MlflowClient(), _state_of(run)
    number = experiment_id(target, experiment)
    there = here.search_runs([number], f"tags.`{ORIGIN}` = '{origin}'")
    if there and there[0].data.tags.get(_CARRIED) == state:
        return Carried(name, origin, "there already")
    if there:
        made = there[0].info.run_id
    else:
        tags = {ORIGIN: origin}
        made = here.create_run(number, run.info.start_time, tags, free_name(name, experiment)).info.run_id
    for item in _items(source, run, has_model=bool(there and there[0].outputs and there[0].outputs.model_outputs)):
        send(made, item)
    here.set_terminated(made, run.info.status, run.info.end_time)
    here.set_tag(made, _CARRIED, state)
    return Carried(name, origin, "sent")


def _items(source: MlflowClient, run: Run, has_model: bool) -> Iterator[Item]:
    """All of a run as items for another store. Items that are sent twice change nothing, but for a model."""
    origin = run.info.run_id
    yield params_item(run.data.params)
    yield tags_item({key: value for key, value in run.data.tags.items() if _goes_along(key)})
    points = [point for name in sorted(run.data.metrics) for point in source.get_metric_history(origin, name)]
    yield history_item([(point.key, point.value, point.timestamp, point.step) for point in points])
    for each in run.inputs.dataset_inputs if run.inputs else []:
        yield dataset_item(each.dataset.name, each.dataset.digest, json.loads(each.dataset.profile or "{}"))
    folder = folder_at(run.info.artifact_uri or "")
    if folder is not None and folder.is_dir():
        yield folder_item(folder)
    models = run.outputs.model_outputs if run.outputs else []
    if models and not has_model and folder is not None:
        logged = folder_at(source.get_logged_model(models[0].model_id).artifact_location)
        signature = Model.load(str(logged)).signature
        size, classes = signature.inputs.inputs[0].shape[1], signature.outputs.inputs[0].shape[1]
        yield model_item(folder / "model/model.keras", size, classes)


def _goes_along(tag: str) -> bool:
    """Whether a tag says the same elsewhere: not where a run lies, nor where it was carried from before."""
    return tag in _OF_MLFLOW or not tag.startswith(("mlflow.", ORIGIN, _CARRIED))


def _state_of(run: Run) -> str:
    """Another one after anything of the run has changed."""
    said = [run.info.status, run.info.end_time, sorted(run.data.tags.items()), sorted(run.data.metrics.items())]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]
