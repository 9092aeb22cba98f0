"""Many files read at a time: in processes where they are many, since threads of one process wait for each other in Python."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from math import ceil
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from cxr.cores import cores
from cxr.errors import Mistake

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 64  # items


def on_all_cores(function: Callable[[Sequence[Item]], Result], items: Sequence[Item], few: int) -> Iterator[Result]:
    """What `function` makes of chunks of the items, in their order; few chunks are in memory at once, however many there are.

    Up to so `few` items are done by threads, as to start processes would take longer than it saves. `function` has to be one
    that another process can import. Raises what it raises, and `Mistake` where a process was killed, as the system does where
    memory runs out.

    >>> sum(on_all_cores(sum, range(1, 5), few=100))
    10
    """
    size = max(1, min(_CHUNK, ceil(len(items) / cores())))
    coming = deque[Future[Result]]()
    pool = _threads() if len(items) <= few or cores() == 1 else _processes()
    try:
        for start in range(0, len(items), size):
            coming.append(pool.submit(function, items[start : start + size]))
            if len(coming) > 2 * cores():
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()
    except BrokenProcessPool:
        raise Mistake("a process that read images was killed, perhaps because memory ran out: free some, and start again") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _threads() -> Executor:
    return ThreadPoolExecutor(cores())


def _processes() -> Executor:
    # Forking would copy locks that threads of this process hold; a new interpreter is safe, and starts in half a second.
    return ProcessPoolExecutor(cores(), mp_context=get_context("spawn"), initializer=_begin)


def _begin() -> None:
    """Live as long as the parent, whatever ends it; only the parent hears Ctrl-C, and cleans up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)
