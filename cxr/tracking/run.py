"""One MLflow run: created or resumed, filled under stable names, and closed with its status."""

import json
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

from cxr.config.fields import flat_params
from cxr.config.schema import Config
from cxr.errors import RunFailed, UserError
from cxr.tracking.internals import NOTE, TABLES, USER, tags_of_context
from cxr.tracking.limits import MOST_IN_PARAM, MOST_IN_TAG, shortened
from cxr.tracking.logged_run import LoggedRun, sha256_of
from cxr.tracking.outbox import Item, Outbox, command_to_send, is_lost_connection, send
from cxr.tracking.process import TAG as PROCESS
from cxr.tracking.process import this_process
from cxr.tracking.scratch import scratch
from cxr.tracking.search import free_name
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
        """Log numbers at a step; for metrics of an epoch the step is the global epoch."""
        self._log_history([(step, values)])

    def log_epochs(self, epochs: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        """Log metrics of epochs that an earlier process trained and may not have logged."""
        from mlflow import MlflowClient

        known = set()
        try:
            known = set() if self.lost else {point.step for point in MlflowClient().get_metric_history(self.id, "train/loss")}
        except Exception as error:
            if self.outbox is None or not is_lost_connection(error):
                raise
            self._lose()
        if new := [(number, values) for number, values in epochs if number not in known]:
            self._log_history(new)

    def _log_history(self, steps: Sequence[tuple[int, Mapping[str, float]]]) -> None:
        now = int(time.time() * 1000)
        points = [(name, value, now, step) for step, values in steps for name, value in values.items()]
        self._write({"kind": "history", "points": points})

    def log_folder(self, folder: Path) -> None:
        """Log everything in a folder, as artifacts under the same names."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.files[path.relative_to(folder).as_posix()] = path.stat().st_size, sha256_of(path)
        self._write({"kind": "folder", "folder": str(folder)})

    def log_text(self, text: str, name: str) -> None:
        """Log a text as an artifact, which does not count among `files`."""
        with scratch() as folder:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            self._write({"kind": "folder", "folder": str(folder)})

    def log_dataset(self, name: str, digest: str, profile: Mapping[str, object]) -> None:
        """Log the run's data/manifest.csv as an MLflow dataset, with its fingerprint and counts."""
        self._write({"kind": "dataset", "name": name, "digest": digest, "profile": dict(profile)})

    def describe(self, markdown: str) -> None:
        """Set the text that MLflow's page of the run shows first."""
        self.set_tags({NOTE: markdown})

    def set_tags(self, tags: Mapping[str, str | None]) -> None:
        """Set the tags that have a value, shortened to MLflow's limit."""
        if known := {name: value for name, value in tags.items() if value is not None}:
            self._write({"kind": "tags", "tags": shortened(known, MOST_IN_TAG)})

    def reached(self, stage: str) -> None:
        """Record a stage: everything of this stage is in the store."""
        self.set_tags({TAG: stage})

    def show_table(self, name: str) -> None:
        """Have MLflow's UI compare a table, an artifact of this name, across runs."""
        self.set_tags({TABLES: json.dumps([{"path": name, "type": "table"}])})

    def log_model(self, file: Path, image_size: int, class_count: int) -> None:
        """Log a saved `.keras` file as an MLflow model that can be served and registered: raw grey levels in, probabilities out."""
        self._write({"kind": "model", "file": str(file), "image_size": image_size, "class_count": class_count})

    def log_params(self, params: Mapping[str, str], known: Collection[str] = ()) -> None:
        """Log the config's scalars, without those that are `known`: a store takes each param once."""
        if new := {name: value for name, value in params.items() if name not in known}:
            self._write({"kind": "params", "params": shortened(new, MOST_IN_PARAM)})

    def end(self, status: str) -> None:
        """Record how the run ended: FINISHED, FAILED or KILLED. If a server was lost, try to send the kept items again."""
        self._write({"kind": "end", "status": status, "milliseconds": int(time.time() * 1000)})
        if self.outbox is None or not self.lost:
            return
        try:
            self.outbox.deliver()
        except Exception as error:
            if not is_lost_connection(error):
                raise
            command = command_to_send(self.outbox.folder.parents[1])
            print(f"cxr: run {self.id} is kept whole in {self.outbox.folder}; send it with: {command}", file=sys.stderr)

    def _write(self, item: Item) -> None:
        """Send an item to the store, or keep it if the server is lost. Raises `RunFailed` if the store rejects it."""
        if not self.lost:
            try:
                return send(self.id, item)
            except Exception as error:
                if self.outbox is None or not is_lost_connection(error):
                    raise RunFailed(describe_refusal(self.store, error)) from error
                self._lose()
        assert self.outbox is not None
        self.outbox.keep(item)
        return None

    def _lose(self) -> None:
        """The store can't be reached: keep all further items on disk."""
        assert self.outbox is not None
        self.lost = True
        print(f"cxr: {self.outbox.uri} is lost: the run continues, and keeps its results in {self.outbox.folder}", file=sys.stderr)


@contextmanager
def open_run(store: Store, config: Config, name: str, tags: Mapping[str, str | None], resumed: str | None = None) -> Iterator[Run]:
    """Start a run, or resume the run with the id `resumed`; it ends FINISHED, KILLED (interrupted) or FAILED with its reason.

    The store has to be open. Params are the config's scalars. The request that makes the run sets its tags. MLflow never knows of
    an active run: its own hook would mark it FINISHED at the end of the process, even after a failure.

    Raises:
        UserError: The store refuses the run.
    """
    known = shortened({key: value for key, value in tags.items() if value is not None}, MOST_IN_TAG)
    try:
        run, params = _begin(store, config, name, {**known, PROCESS: this_process()}, resumed)
    except UserError:
        raise
    except Exception as error:  # of SQLAlchemy, requests or MLflow; nothing has been done yet
        raise UserError(describe_refusal(store.uri, error)) from error
    with run.outbox.held() if run.outbox else nullcontext():
        try:
            run.log_params(flat_params(config), known=params)
            yield run
            if run.handed_over:
                return
            run.reached(FINISHED)
        except KeyboardInterrupt:
            _end_badly(run, "KILLED", None)
            raise
        except BaseException as error:
            has_message = isinstance(error, UserError | RunFailed)
            _end_badly(run, "FAILED", str(error) if has_message else f"{type(error).__name__}: {error}")
            raise
        run.end("FINISHED")


@contextmanager
def adding_to(store: Store, run: LoggedRun) -> Iterator[Run]:
    """A run that has ended, to add to; its status does not change. The store has to be open."""
    ended = Run(run.id, run.name, store.uri, run.started, run.tags.get(USER, ""), Outbox.of(store, run.id, run.name))
    with ended.outbox.held() if ended.outbox else nullcontext():
        yield ended
        if ended.lost:
            ended.end(run.status)


def _begin(store: Store, config: Config, name: str, tags: Mapping[str, str], resumed: str | None) -> tuple[Run, Collection[str]]:
    """The run, and the names of the params that it has already."""
    from mlflow import MlflowClient

    client = MlflowClient()
    if resumed is None:
        experiment = config.tracking.experiment
        number, name = experiment_id(store, experiment), free_name(name, experiment)
        entity = client.create_run(number, run_name=name, tags=tags_of_context({**tags, TAG: STARTED}))
    else:
        outbox = Outbox.of(store, resumed, name)
        if outbox and outbox.folder.exists():
            outbox.deliver()
        entity = client.get_run(resumed)
        send(resumed, {"kind": "tags", "tags": tags})
        client.update_run(resumed, status="RUNNING")
        if FAILURE in entity.data.tags:
            client.delete_tag(resumed, FAILURE)
    run_id, name = entity.info.run_id, entity.info.run_name or name
    user, outbox = entity.data.tags.get(USER, ""), Outbox.of(store, run_id, name)
    return Run(run_id, name, store.uri, entity.info.start_time, user, outbox), entity.data.params


def _end_badly(run: Run, status: str, reason: str | None) -> None:
    """Record the status and the reason. If the store fails here, print a line; the next command closes the run."""
    reason_first = run.lost  # `end` sends what is kept for a lost server
    try:
        if reason_first:
            run.set_tags({FAILURE: reason})
        run.end(status)
        if not reason_first:
            run.set_tags({FAILURE: reason})
    except Exception as error:
        print(f"cxr: how run {run.id[:8]} ended can't be kept: {' '.join(str(error).split())[:300]}", file=sys.stderr)
