"""Reports of a sweep's jobs, made by another process while the next job trains."""

import sys
from collections import deque
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool

from cxr.background import background_process
from cxr.run.reporting import Unreported, report_and_finish
from cxr.text import printable
from cxr.tracking.store import Store, open_store
from cxr.tracking.unfinished import Unfinished

_AT_MOST = 2  # reports under way or waiting; a job that finds as many makes its own, so that neither process waits


class BackgroundReports:
    """One process that makes reports in the order in which jobs end; it starts at once, and imports meanwhile.

    Runs stay claimed by this process until their report is there, so one that is cut off is seen as such.
    """

    def __init__(self, store: Store) -> None:
        self._pool = background_process()
        self._pool.submit(open_store, store)
        self._at_work: deque[tuple[Unreported, Unfinished, Future[str]]] = deque()
        self._is_gone = False
        self.failed: list[str] = []  # names of jobs whose report is missing

    def has_room(self) -> bool:
        """Whether another report would be made soon; never again once the process is gone."""
        self._end(waiting=False)
        return not self._is_gone and len(self._at_work) < _AT_MOST

    def wait_for(self, folder: str) -> None:
        """Wait for the report of a run that holds the folder of this name: a job may ask for the same run once more."""
        if any(held.folder.name == folder for _, held, _ in self._at_work):
            self._end(waiting=True)

    def take(self, work: Unreported, held: Unfinished) -> None:
        """Make the report of a run after those that wait, and finish the run."""
        made: Future[str]
        try:
            made = self._pool.submit(report_and_finish, work)
        except BrokenProcessPool as gone:
            made = Future()
            made.set_exception(gone)
        self._at_work.append((work, held, made))

    def finish(self) -> None:
        """Wait until all are made."""
        self._end(waiting=True)
        self._pool.shutdown()

    def abandon(self) -> None:
        """Make no further one: the same command makes those that are missing."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._end(waiting=True)

    def _end(self, waiting: bool) -> None:
        while self._at_work and (waiting or self._at_work[0][2].done()):
            work, held, made = self._at_work[0]
            try:
                failure = made.result()
            except CancelledError:
                failure = "it was stopped"
            except BrokenProcessPool:
                failure, self._is_gone = "its process was killed, perhaps because memory ran out", True
            self._at_work.popleft()
            if failure:
                held.let_go()
                self._tell(work, failure)
            else:
                held.remove()

    def _tell(self, work: Unreported, failure: str) -> None:
        self.failed.append(work.name)
        told = f"run {work.name} ({work.run_id[:8]}) is trained, and model and metrics are kept, but its report failed ({failure})"
        missing = f"the same command, or cxr evaluate {work.run_id[:8]}, makes it"
        print(printable(f"cxr: {told}: {missing}"), file=sys.stderr, flush=True)
