"""A process that works beside this one."""

import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context

from cxr.system import prepare_worker

_NICENESS = 5  # whoever started the process goes first where both want a core


def background_process() -> ProcessPoolExecutor:
    """One process that does what it is asked, in that order; it starts with the first task."""
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_prepare)


def _prepare() -> None:
    prepare_worker()
    with suppress(OSError):
        os.nice(_NICENESS)
