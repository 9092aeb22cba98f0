"""One MLflow run: opened or gone on with, filled under stable names, and always closed with the status it earned."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from cxr.config import Config, settings
from cxr.tracking.outbox import (
    PLACE,
    Item,
    Outbox,
    end_item,
    folder_item,
    is_lost_connection,
    metrics_item,
    model_item,
    params_item,
    send,
    tags_item,
)
from cxr.tracking.store import Store, experiment_id


@dataclass
class Run:
    """A run that is open. Each method writes at once; where a server is lost, to disk, for `cxr send`."""

    id: str
    name: str
    outbox: Outbox | None = None  # none where the store is a file of this machine: then errors are errors
    lost: bool = False

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Numbers at a step; for metrics of an epoch the step is the global epoch."""
        self._say(metrics_item(values, step))

    def log_epochs(self, epochs: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Numbers of epochs that an earlier process trained, where it did not get to log them."""
        from mlflow import MlflowClient

        known = set()
        try:
            known = set() if self.lost else {point.step for point in MlflowClient().get_metric_history(self.id, "train/loss")}
        except Exception as error:
            if self.outbox is None or not is_lost_connection(error):
                raise
            self.lose()
        for number, values in epochs:
            if number not in known:
                self.log_metrics(values, number)

    def log_folder(self, folder: Path) -> None:
        """Everything in a folder, as artifacts under the same names."""
        self._say(folder_item(folder))

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Tags that have a value."""
        self._say(tags_item({name: value for name, value in tags.items() if value is not None}))

    def log_params(self, params: Mapping[str, str]) -> None:
        """The config's scalars."""
        self._say(params_item(params))

    def log_model(self, file: Path, image_size: int, class_count: int) -> None:
        """A saved `.keras` file as an MLflow model that can be served and registered: raw grey levels in, probabilities out."""
        self._say(model_item(file, image_size, class_count))

    def _say(self, item: Item) -> None:
        if not self.lost:
            try:
                return send(self.id, item)
            except Exception as error:
                if self.outbox is None or not is_lost_connection(error):
                    raise
                self.lose()
        assert self.outbox is not None
        self.outbox.keep(item)
        return None

    def lose(self) -> None:
        """The store can't be reached: from here on everything goes to disk."""
        assert self.outbox is not None
        self.lost = True
        print(f"cxr: {self.outbox.uri} is lost: going on, all is kept in {self.outbox.folder}", file=sys.stderr)


@contextmanager
def open_run(store: Store, config: Config, name: str, tags: Mapping[str, str | None], go_on: str | None = None) -> Iterator[Run]:
    """Start a run, or go on with run `go_on`; it ends FINISHED, KILLED (interrupted) or FAILED with its reason.

    The store has to be open. Params are the config's scalars. Tags are set in the same breath as the run is made.
    """
    import mlflow

    known = {key: value for key, value in tags.items() if value is not None}
    if go_on:
        kept = Outbox(PLACE / go_on, store.uri, go_on, name)
        if store.is_remote and kept.folder.exists():
            kept.deliver()
        mlflow.start_run(run_id=go_on, tags=known)
        if "cxr.failure" in mlflow.MlflowClient().get_run(go_on).data.tags:
            mlflow.delete_tag("cxr.failure")
    else:
        mlflow.start_run(experiment_id=experiment_id(store, config.tracking.experiment), run_name=name, tags=known)
    active = mlflow.active_run()
    assert active is not None
    run = Run(active.info.run_id, name)
    if store.is_remote:
        run.outbox = Outbox(PLACE / run.id, store.uri, run.id, name)
    with run.outbox.held() if run.outbox else nullcontext():
        try:
            run.log_params(flat_params(config))
            yield run
        except KeyboardInterrupt:
            _close(run, "KILLED")
            raise
        except BaseException as error:
            run.set_tags({"cxr.failure": f"{type(error).__name__}: {error}"[:5000]})
            _close(run, "FAILED")
            raise
        _close(run, "FINISHED")


def flat_params(config: Config) -> dict[str, str]:
    """The config's values by dotted key, as MLflow params; lists and mappings as JSON."""
    return {key: json.dumps(value) if isinstance(value, list | dict) else str(value) for key, value, _ in settings(config)}


def _close(run: Run, status: str) -> None:
    """End the run in the store and in mlflow's own mind, and try once more to send what is kept."""
    import mlflow

    try:
        mlflow.end_run(status)
    except Exception as error:
        if run.outbox is None or not is_lost_connection(error):
            raise
        if not run.lost:
            run.lose()
    if run.outbox is not None and run.lost:
        run.outbox.keep(end_item(status))
        try:
            run.outbox.deliver()
        except Exception as error:
            if not is_lost_connection(error):
                raise
            print(f"cxr: run {run.id} is kept whole in {run.outbox.folder}; send it with: cxr send", file=sys.stderr)
