"""How this process gets and keeps memory."""

import ctypes
import gc
import sys

# glibc's mallopt parameters (malloc.h). By default it hands memory back to the kernel after each batch and asks again, a
# page fault for every 4 KB, and each thread keeps an arena of its own. One arena that keeps its memory is faster and smaller.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_KEEP_BYTES = 512 * 2**20

# New objects before a collection, of each generation. Imports and tracing make a million that stay: to look through them at
# Python's own pace was measured to take a seventh of a short run.
_COLLECT_AFTER = 50_000, 20, 100


def prepare_memory() -> None:
    """Set up this process' garbage collector and allocator.

    Call it before libraries are imported, and before any thread is started, since each would get an arena of its own.
    """
    gc.set_threshold(*_COLLECT_AFTER)
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, musl for one
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, _KEEP_BYTES)
    mallopt(_M_TRIM_THRESHOLD, _KEEP_BYTES)
