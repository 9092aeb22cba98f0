"""Unfinished runs: a locked folder for each, which shows whether its process lives, and keeps the checkpoint.

A process holds a run's lock as long as it lives, and the system lets go of it however the process ends. So a run that is
RUNNING in the store, and whose lock is free, was killed, where this machine is certain to see the lock.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree

from filelock import FileLock, Timeout

from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.process import TAG as PROCESS
from cxr.tracking.process import is_alive, lock_reach
from cxr.tracking.search import filtered_runs, runs_by_id
from cxr.tracking.stage import FINISHED
from cxr.tracking.stage import TAG as STAGE
from cxr.tracking.store import FOLDER, Store, opened_store

PLACE = "unfinished"  # in the work folder
_CHECKPOINT, _TRAINED, _RUN = "state.npz", "trained", "run.json"
TAG = "cxr.unfinished"  # the folder's name, on the run itself
_ENDED_BY_HOOK = f"attributes.status = 'FINISHED' and tags.`{STAGE}` != '{FINISHED}'"
_CUT_OFF = "the process ended without a reason: killed, out of memory, or the machine went down"


@dataclass
class Unfinished:
    """One run's folder, and its lock, held by this process."""

    folder: Path
    _lock: FileLock = field(repr=False)
    handed_over: bool = False  # to whoever makes the report of the run, and lets go of it then
    is_first: bool = True  # no other process is at a run of this fingerprint

    @property
    def checkpoint(self) -> Path:
        """The file of the checkpoint."""
        return self.folder / _CHECKPOINT

    def belongs_to(self, run_id: str) -> None:
        """Record the id of the run in the store, and which machines see the lock."""
        (self.folder / _RUN).write_text(json.dumps({"run_id": run_id, "lock_reach": lock_reach(self.folder)}))

    def earlier_run(self) -> LoggedRun | None:
        """The run of an earlier attempt, if it is in the open store, not deleted, and not finished."""
        return earlier_run(self.folder.name, self.folder.parents[1])

    @property
    def can_resume(self) -> bool:
        """Whether another attempt can resume from a trained epoch, here or in the store."""
        return can_resume(self.folder.name, self.folder.parents[1])

    def training_is_in_store(self) -> None:
        """Remove the checkpoint: the results of training are in the store."""
        (self.folder / _TRAINED).touch()
        self.checkpoint.unlink(missing_ok=True)

    def let_go(self) -> None:
        """Keep the folder for another attempt, and release it."""
        self._lock.release()

    def remove(self) -> None:
        """Remove the folder: nothing is left to resume."""
        rmtree(self.folder, ignore_errors=True)
        Path(self._lock.lock_file).unlink(missing_ok=True)  # who waits for it notices, and makes it again
        self._lock.release()


def claim(fingerprint: str, fresh: bool, on_wait: Callable[[], None] | None = None, work: Path = FOLDER) -> Unfinished:
    """Take the folder of a run with this fingerprint in a work folder; `fresh` removes the files of an earlier attempt.

    Where a living process holds it, wait for it after calling `on_wait`, or without one take a folder of another name.

    Raises:
        RuntimeError: A thousand runs have this fingerprint at once.
    """
    for attempt in range(1, 1000):
        folder = work / PLACE / (fingerprint if attempt == 1 else f"{fingerprint}-{attempt}")
        work.mkdir(exist_ok=True, mode=0o700)
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_suffix(".lock"))
        try:
            lock.acquire(timeout=1)  # a process that only checks it holds it for an instant
        except Timeout:
            if on_wait is None:
                continue
            on_wait()
            lock.acquire()
        if fresh:
            rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)  # its last holder may have removed it
        return Unfinished(folder, lock, is_first=attempt == 1)
    raise RuntimeError(f"a thousand runs of fingerprint {fingerprint} at once")


def work_of(run: LoggedRun) -> Path:
    """The work folder of a logged run, from its param work.dir."""
    work = run.params.get("work.dir", "None")
    return FOLDER if work == "None" else Path(work)


def can_resume(fingerprint: str, work: Path = FOLDER) -> bool:
    """Whether an earlier attempt at a run of this fingerprint has left a trained epoch, here or in the store."""
    return any((work / PLACE / fingerprint / name).exists() for name in (_CHECKPOINT, _TRAINED))


def settled_store(uri: str | None = None, writing: bool = False) -> Store:
    """`opened_store`, after the status of every run whose process is gone was set."""
    store = opened_store(uri, writing)
    close_cut_off_runs(store)
    return store


def close_cut_off_runs(store: Store) -> list[str]:
    """Set the status of every run whose process is certain to be gone. Return the ids of interrupted runs.

    Those are RUNNING for ever, or FINISHED by MLflow's own hook, and not marked as finished. In a server's store, and of runs with
    a work folder of their own, only those whose folder is on this machine. The store has to be open.
    """
    import mlflow

    client = mlflow.MlflowClient()
    closed = []
    for run in filtered_runs("attributes.status = 'RUNNING'") + filtered_runs(_ENDED_BY_HOOK):
        name = run.tags.get(TAG)
        if name is None or Path(name).name != name:
            continue  # not made by cxr
        folder = work_of(run) / PLACE / name
        if not folder.exists() and (store.folder is None or (work_of(run) != FOLDER and not folder.parent.is_dir())):
            continue  # started from another folder, or on a machine with other disks
        if not _is_gone(run, folder):
            continue
        if run.tags.get(STAGE) == FINISHED:  # its last mark came, and its status did not
            client.set_terminated(run.id, "FINISHED")
            continue
        client.set_terminated(run.id, "KILLED")
        client.set_tag(run.id, "cxr.failure", _CUT_OFF)
        closed.append(run.id)
    return closed


def earlier_run(fingerprint: str, work: Path = FOLDER) -> LoggedRun | None:
    """The run of an attempt that was cut off, or is under way: as `Unfinished.earlier_run`, without a claim."""
    from mlflow.exceptions import MlflowException

    try:
        run_id = json.loads((work / PLACE / fingerprint / _RUN).read_text())["run_id"]
        run = runs_by_id([run_id])[run_id]
    except (OSError, ValueError, KeyError, TypeError, MlflowException):
        return None
    return run if run.is_active and not run.is_finished else None


@contextmanager
def one_at_a_time(name: str, work: Path = FOLDER) -> Iterator[None]:
    """A lock for work that one process does while the others wait."""
    (work / PLACE).mkdir(parents=True, exist_ok=True)
    with FileLock(work / PLACE / f"{name}.lock"):
        yield


def _is_gone(run: LoggedRun, folder: Path) -> bool:
    """Whether it is certain that no process does a run: one of another machine has to have a lock that this one sees."""
    if _is_held(folder):
        return False
    process = run.tags.get(PROCESS)
    if process is None:  # of an earlier version
        return True
    if (alive := is_alive(process)) is not None:
        return not alive
    try:
        known = json.loads((folder / _RUN).read_text())
    except (OSError, ValueError):
        return False
    seen = folder.with_suffix(".lock").exists() and known.get("lock_reach") == lock_reach(folder)
    return seen and known.get("run_id") == run.id


def _is_held(folder: Path) -> bool:
    lock = FileLock(folder.with_suffix(".lock"))
    if not Path(lock.lock_file).exists():
        return False
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True
