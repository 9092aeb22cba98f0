"""One MLflow run: created or resumed, filled under stable names, and closed with its status."""

import json
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from cxr.config.fields import flat_params
from cxr.config.schema import Config
from cxr.errors import RunFailed, UserError
from cxr.tracking.limits import MOST_IN_PARAM, MOST_IN_TAG, shortened
from cxr.tracking.outbox import (
    Item,
    Outbox,
    command_to_send,
    dataset_item,
    end_item,
    epochs_item,
    folder_item,
    is_lost_connection,
    metrics_item,
    model_item,
    params_item,
    send,
    tags_item,
)
from cxr.tracking.process import TAG as PROCESS
from cxr.tracking.process import this_process
from cxr.tracking.scratch import scratch
from cxr.tracking.search import LoggedRun, free_name, sha256_of
from cxr.tracking.stage import FINISHED, STARTED, TAG
from cxr.tracking.store import Store, describe_refusal, experiment_id

FAILURE = "cxr.failure"  # why a run did not end well


@dataclass
class Run:
    """A run that is open. Each method writes at once; if a server is lost, to disk, for `cxr send`."""

    id: str
    name: str
    store: str  # its URI
    started: int  # milliseconds since 1970
    user: str
    outbox: Outbox | None = None  # None if the store is a file on this machine
    lost: bool = False
    handed_over: bool = False  # to another process, which finishes it
    files: dict[str, tuple[int, str]] = field(default_factory=dict)  # logged by this process: bytes and SHA-256, by name

    def log_metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Numbers at a step; for metrics of an epoch the step is the global epoch."""
        self.say(metrics_item(values, step))

    def log_epochs(self, epochs: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Metrics of epochs that an earlier process trained and may not have logged."""
        from mlflow import MlflowClient

        known = set()
        try:
            known = set() if self.lost else {point.step for point in MlflowClient().get_metric_history(self.id, "train/loss")}
        except Exception as error:
            if self.outbox is None or not is_lost_connection(error):
                raise
            self.lose()
        if new := [(number, values) for number, values in epochs if number not in known]:
            self.say(epochs_item(new))

    def log_folder(self, folder: Path) -> None:
        """Everything in a folder, as artifacts under the same names."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.files[path.relative_to(folder).as_posix()] = path.stat().st_size, sha256_of(path)
        self.say(folder_item(folder))

    def log_text(self, text: str, name: str) -> None:
        """A text as an artifact."""
        with scratch() as folder:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            self.say(folder_item(folder))

    def log_dataset(self, name: str, digest: str, profile: Mapping[str, object]) -> None:
        """The run's data/manifest.csv as an MLflow dataset, with counts."""
        self.say(dataset_item(name, digest, profile))

    def describe(self, markdown: str) -> None:
        """What MLflow's page of the run says first."""
        self.set_tags({"mlflow.note.content": markdown})

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Tags that have a value."""
        if known := {name: value for name, value in tags.items() if value is not None}:
            self.say(tags_item(shortened(known, MOST_IN_TAG)))

    def reached(self, stage: str) -> None:
        """Record a stage: everything of this stage is in the store."""
        self.set_tags({TAG: stage})

    def show_table(self, name: str) -> None:
        """Have MLflow's UI compare a table, an artifact of this name, across runs."""
        self.set_tags({"mlflow.loggedArtifacts": json.dumps([{"path": name, "type": "table"}])})

    def log_params(self, params: Mapping[str, str], known: Collection[str] = ()) -> None:
        """The config's scalars, without those that are `known`: a store takes each param once."""
        if new := {name: value for name, value in params.items() if name not in known}:
            self.say(params_item(shortened(new, MOST_IN_PARAM)))

    def log_model(self, file: Path, image_size: int, class_count: int) -> None:
        """A saved `.keras` file as an MLflow model that can be served and registered: raw grey levels in, probabilities out."""
        self.say(model_item(file, image_size, class_count))

    def end(self, status: str) -> None:
        """Record how the run ended. If a server was lost, try to send the kept items again."""
        self.say(end_item(status))
        if self.outbox is None or not self.lost:
            return
        try:
            self.outbox.deliver()
        except Exception as error:
            if not is_lost_connection(error):
                raise
            sending = command_to_send(self.outbox.folder.parents[1])
            print(f"cxr: run {self.id} is kept whole in {self.outbox.folder}; send it with: {sending}", file=sys.stderr)

    def say(self, item: Item) -> None:
        """Send an item to the store, or keep it if the server is lost. Raises `RunFailed` if the store rejects it."""
        if not self.lost:
            try:
                return send(self.id, item)
            except Exception as error:
                if self.outbox is None or not is_lost_connection(error):
                    raise RunFailed(describe_refusal(self.store, error)) from error
                self.lose()
        assert self.outbox is not None
        self.outbox.keep(item)
        return None

    def lose(self) -> None:
        """The store can't be reached: keep all further items on disk."""
        assert self.outbox is not None
        self.lost = True
        print(f"cxr: {self.outbox.uri} is lost: the run continues, and keeps its results in {self.outbox.folder}", file=sys.stderr)


@contextmanager
def open_run(store: Store, config: Config, name: str, tags: Mapping[str, str | None], go_on: str | None = None) -> Iterator[Run]:
    """Start a run, or resume run `go_on`; it ends FINISHED, KILLED (interrupted) or FAILED with its reason.

    The store has to be open. Params are the config's scalars. Tags are set in the same breath as the run is made. MLflow never
    knows of an active run: its own hook would mark it FINISHED at the end of the process, even after a failure.
    """
    known = shortened({key: value for key, value in tags.items() if value is not None}, MOST_IN_TAG)
    try:
        run = _begun(store, config, name, known, go_on)
    except UserError:
        raise
    except Exception as error:  # of SQLAlchemy, requests or MLflow; nothing has been done yet
        raise UserError(describe_refusal(store.uri, error)) from error
    with run.outbox.held() if run.outbox else nullcontext():
        try:
            run.log_params(flat_params(config), known=_params_of(go_on) if go_on else ())
            yield run
            if run.handed_over:
                return
            run.reached(FINISHED)
        except KeyboardInterrupt:
            _end_badly(run, "KILLED", None)
            raise
        except BaseException as error:
            told = isinstance(error, UserError | RunFailed)
            _end_badly(run, "FAILED", str(error) if told else f"{type(error).__name__}: {error}")
            raise
        run.end("FINISHED")


@contextmanager
def adding_to(store: Store, run: LoggedRun) -> Iterator[Run]:
    """A run that has ended, to add to; its status does not change. The store has to be open."""
    ended = Run(run.id, run.name, store.uri, run.started, run.tags.get("mlflow.user", ""), Outbox.of(store, run.id, run.name))
    with ended.outbox.held() if ended.outbox else nullcontext():
        yield ended
        if ended.lost:
            ended.end(run.status)


def _begun(store: Store, config: Config, name: str, tags: Mapping[str, str], go_on: str | None) -> Run:
    from mlflow import MlflowClient
    from mlflow.tracking.context.registry import resolve_tags

    client, tags = MlflowClient(), {**tags, PROCESS: this_process()}
    if go_on is None:
        number = experiment_id(store, config.tracking.experiment)
        name = free_name(name, config.tracking.experiment)
        made = client.create_run(number, run_name=name, tags=resolve_tags({**tags, TAG: STARTED}))
        said = made.info.start_time, made.data.tags.get("mlflow.user", "")
        return Run(made.info.run_id, name, store.uri, *said, Outbox.of(store, made.info.run_id, name))
    earlier = client.get_run(go_on)
    said = earlier.info.start_time, earlier.data.tags.get("mlflow.user", "")
    name = earlier.info.run_name or name
    run = Run(go_on, name, store.uri, *said, Outbox.of(store, go_on, name))
    if run.outbox and run.outbox.folder.exists():
        run.outbox.deliver()
    send(go_on, tags_item(tags))
    client.update_run(go_on, status="RUNNING")
    if FAILURE in earlier.data.tags:
        client.delete_tag(go_on, FAILURE)
    return run


def _params_of(run_id: str) -> dict[str, str]:
    from mlflow import MlflowClient

    return dict(MlflowClient().get_run(run_id).data.params)


def _end_badly(run: Run, status: str, reason: str | None) -> None:
    """Record the status, then the reason. If the store fails here, print a line; the next command closes the run."""
    items = [end_item(status), *([tags_item({FAILURE: reason[:MOST_IN_TAG]})] if reason else [])]
    try:
        for item in reversed(items) if run.lost else items:  # what is kept for a lost server is sent with the end
            run.say(item) if item["kind"] != "end" else run.end(status)
    except Exception as error:
        print(f"cxr: how run {run.id[:8]} ended can't be kept: {' '.join(str(error).split())[:300]}", file=sys.stderr)
