"""Reports of a sweep's jobs, made by another process while the next job trains."""

import os
import sys
from collections import deque
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from types import TracebackType

from cxr.run.report.reporting import Unreported, report_and_finish
from cxr.system import prepare_worker
from cxr.text import printable
from cxr.tracking.store import Store, open_store
from cxr.tracking.unfinished import Unfinished

_AT_MOST = 2  # reports under way or waiting; a job that would add one waits for the oldest
_NICENESS = 5  # training goes first where both want a core


class BackgroundReports:
    """One process that makes reports in the order in which jobs end; it starts at once, and imports meanwhile.

    Runs stay claimed by this process until their report is there, so one that is cut off is seen as such. The end of the block
    waits for all reports; after an interrupt only for the one under way: the same command makes those that are missing.
    """

    def __init__(self, store: Store) -> None:
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_prepare)
        self._pool.submit(open_store, store)
        self._waiting: deque[tuple[Unreported, Unfinished, Future[str]]] = deque()
        self.failed: list[str] = []  # names of jobs whose report is missing

    def __enter__(self) -> "BackgroundReports":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._pool.shutdown(wait=False, cancel_futures=kind is KeyboardInterrupt)
        while self._waiting:
            self._settle_oldest()

    def wait_for(self, folder: str) -> None:
        """Wait for the report of a run that holds the folder of this name: a job may be the same run again."""
        while any(held.folder.name == folder for _, held, _ in self._waiting):
            self._settle_oldest()

    def take(self, work: Unreported, held: Unfinished) -> None:
        """Make the report of a run after those that wait, and finish the run; here, where the other process is gone."""
        while len(self._waiting) >= _AT_MOST:
            self._settle_oldest()
        try:
            report = self._pool.submit(report_and_finish, work)
        except BrokenProcessPool:
            report = Future()
            report.set_result(report_and_finish(work))
        self._waiting.append((work, held, report))

    def _settle_oldest(self) -> None:
        """Wait for the report that was taken first, and let go of its run."""
        work, held, report = self._waiting[0]
        try:
            failure = report.result()
        except CancelledError:
            failure = "it was stopped"
        except BrokenProcessPool:
            failure = "its process was killed, perhaps because memory ran out"
        self._waiting.popleft()
        if not failure:
            return held.remove()
        held.let_go()
        self.failed.append(work.name)
        run = f"run {work.name} ({work.run_id[:8]}) is trained, and model and metrics are kept, but its report failed ({failure})"
        missing = f"the same command, or cxr evaluate {work.run_id[:8]}, makes it"
        print(printable(f"cxr: {run}: {missing}"), file=sys.stderr, flush=True)
        return None


def _prepare() -> None:
    prepare_worker()
    with suppress(OSError):
        os.nice(_NICENESS)
