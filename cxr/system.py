"""What this process has of its machine: cores, memory, output streams, and OpenVINO on the CPU."""

import ctypes
import gc
import io
import os
import signal
import sys
from importlib import import_module
from multiprocessing import parent_process
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any, cast

from threadpoolctl import threadpool_limits

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


def prepare_worker() -> None:
    """Set up a process that works for another: it ends with it, uses one core, and ignores Ctrl-C, which the other handles."""
    prepare_memory()
    import_module("numpy")  # its matrix library has to be loaded to be limited
    threadpool_limits(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def expanded(path: str | Path) -> Path:
    """A path with ~ as the home folder; as it is where there is no home folder, or no such user."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - that of Path raises there


# Variables in which a cluster's scheduler, or a launcher on its behalf, sets the cores of a job.
_CORES_OF_JOB = ("CXR_CORES", "SLURM_CPUS_PER_TASK")


def cores() -> int:
    """Cores that the system, or the scheduler of a cluster, lets this process run on."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limits = [int(value) for name in _CORES_OF_JOB if (value := os.environ.get(name, "")).isdigit()]
    return max(1, min([here, *limits]))


def fair_share(at_once: int) -> int:
    """Threads for one of `at_once` parallel jobs, so that together they use each core once."""
    return max(1, cores() // at_once)


def openvino_core() -> Any:
    """OpenVINO's core, imported now, without the package that would send telemetry at each import."""
    if "openvino_telemetry" not in sys.modules:
        sys.modules["openvino_telemetry"] = cast(ModuleType, None)  # as if it were not installed
    return import_module("openvino").Core()


def compile_on_cpu(network: Any, options: dict[str, Any]) -> Any:
    """OpenVINO's compiled form of a network, in float32: on some CPUs the library would use bfloat16.

    Raises:
        RuntimeError: OpenVINO can't compile it.
    """
    core, in_float32 = openvino_core(), {"INFERENCE_PRECISION_HINT": "f32", **options}
    try:
        return core.compile_model(network, "CPU", in_float32)
    except RuntimeError as error:
        if "snippet" not in str(error):
            raise
        # Code that it writes for several steps at once can need more registers than a CPU without AVX-512 has.
        return core.compile_model(network, "CPU", {**in_float32, "SNIPPETS_MODE": "DISABLE"})


class _Unbreakable(io.FileIO):
    """An output stream without errors: output that can't be written is dropped."""

    def write(self, data: bytes | bytearray | memoryview) -> int:  # type: ignore[override]
        """Write, and pretend success if that fails."""
        try:
            return super().write(data) or 0
        except BlockingIOError:
            return 0  # try again
        except OSError:
            return len(data)


def keep_going_without_output() -> None:
    """Make printing safe: output that can't be written must not end a training."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # closed before the process began: what is opened next must not take its number
            nowhere = os.open(os.devnull, os.O_WRONLY)
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            stream = io.TextIOWrapper(io.FileIO(number, "wb", closefd=False), encoding="utf-8", write_through=True)
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)
            continue
        if stream is not getattr(sys, f"__{name}__"):
            continue  # somebody else's already, such as a test's
        raw = _Unbreakable(stream.fileno(), "wb", closefd=False)
        by_line = stream.line_buffering or name == "stderr"
        safe = io.TextIOWrapper(
            io.BufferedWriter(raw),  # type: ignore[type-var]
            encoding=stream.encoding,
            errors="backslashreplace",
            line_buffering=by_line,
            write_through=name == "stderr",
        )
        stream.flush()
        setattr(sys, name, safe)
