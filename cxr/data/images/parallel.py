"""Parallel reading of files: by threads for few files, by processes for many, because of Python's interpreter lock."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from math import ceil
from multiprocessing import get_context
from typing import Self, TypeVar

from cxr.errors import UserError
from cxr.system import cores, prepare_worker

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 64  # items


class AllCores:
    """Threads and processes, each started when they are first needed and ended with the block.

    >>> with AllCores() as all_cores:
    ...     sum(all_cores.map(sum, range(1, 5), few=100))
    10
    """

    def __init__(self) -> None:
        self._pools: dict[bool, Executor] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pool in self._pools.values():
            pool.shutdown(cancel_futures=True)

    def map(self, function: Callable[[Sequence[Item]], Result], items: Sequence[Item], few: int) -> Iterator[Result]:
        """The results of `function` for chunks of the items, in order; only a few chunks are in memory at once.

        Up to so `few` items are done by threads, as to start processes would take longer than it saves. `function` has to be
        one that another process can import. Raises what it raises, and `UserError` where a process was killed, as the system does
        where memory runs out.
        """
        size = max(1, min(_CHUNK, ceil(len(items) / cores())))
        pool = self._pool(processes=len(items) > few and cores() > 1)
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

    def _pool(self, processes: bool) -> Executor:
        if processes not in self._pools:
            self._pools[processes] = _processes() if processes else ThreadPoolExecutor(cores())
        return self._pools[processes]


def _processes() -> Executor:
    # Forking would copy locks that threads of this process hold; a new interpreter is safe, and starts in half a second.
    return ProcessPoolExecutor(cores(), mp_context=get_context("spawn"), initializer=prepare_worker)
