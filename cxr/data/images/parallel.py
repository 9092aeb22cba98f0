"""Parallel reading of files: by threads for few files, by processes for many, because of Python's interpreter lock."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import cached_property
from math import ceil
from multiprocessing import get_context
from typing import TypeVar

from cxr.errors import UserError
from cxr.system import cores, prepare_worker

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 64  # items


class AllCores(ExitStack):
    """Threads and processes, each started when they are first needed and ended with the block.

    >>> with AllCores() as all_cores:
    ...     sum(all_cores.map(sum, range(1, 5), few=100))
    10
    """

    @cached_property
    def _threads(self) -> Executor:
        return self._ending(ThreadPoolExecutor(cores()))

    @cached_property
    def _processes(self) -> Executor:
        # Forking would copy locks that threads of this process hold; a new interpreter is safe, and starts in half a second.
        return self._ending(ProcessPoolExecutor(cores(), mp_context=get_context("spawn"), initializer=prepare_worker))

    def _ending(self, pool: Executor) -> Executor:
        self.callback(pool.shutdown, cancel_futures=True)
        return pool

    def map(self, function: Callable[[Sequence[Item]], Result], items: Sequence[Item], few: int) -> Iterator[Result]:
        """The results of `function` for chunks of the items, in order; only a few chunks are in memory at once.

        Threads do up to so `few` items, as starting processes would take longer than it saves. Another process has to be able to
        import `function`, whose errors pass through.

        Raises:
            UserError: The system killed a process, perhaps for lack of memory.
        """
        size = max(1, min(_CHUNK, ceil(len(items) / cores())))
        pool = self._processes if len(items) > few and cores() > 1 else self._threads
        coming = deque[Future[Result]]()
        try:
            for start in range(0, len(items), size):
                coming.append(pool.submit(function, items[start : start + size]))
                if len(coming) > 2 * cores():
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        except BrokenProcessPool:
            raise UserError(
                "a process that read images was killed, perhaps because memory ran out: free some, and start again"
            ) from None
