"""Wall time and peak memory of one process, and the arithmetic rate of this machine."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

GFLOP_AN_IMAGE = 0.6  # MobileNetV2 1.0 at 224 px: 300 million multiply-adds (Sandler et al. 2018, table 4)
# Of the layers that train, forward; the shares are those of `cxr backbones mobilenet_v2`.
GFLOP_OF_TRAINED = {"last_stage": 0.299 * GFLOP_AN_IMAGE, "half": 0.562 * GFLOP_AN_IMAGE}


@dataclass(frozen=True)
class Measured:
    """What a process took: seconds from start to end, seconds of its own work without imports and logging, peak memory in GB."""

    wall: float
    work: float
    memory: float
    said: dict[str, Any] = field(default_factory=dict)


def timed_process(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float, str]:
    """Run a command to its end: seconds, peak resident memory in GB, and standard output. Raises `RuntimeError` if it fails."""
    started = time.perf_counter()
    errors = folder / "stderr.txt"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors.read_text()[-2000:]}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e9, said


def plain_loop(folder: Path, arguments: list[str]) -> Measured:
    """The plain Keras loop, once."""
    script = Path(__file__).with_name("plain_loop.py")
    wall, memory, said = timed_process([sys.executable, str(script), *arguments], folder, {})
    found = json.loads(said.splitlines()[-1])
    return Measured(wall, found["work"], memory, found)


def matrix_rate(seconds: float = 2.0) -> float:
    """GFLOP/s of float32 matrix products on all cores, the best of those that fit into so many seconds."""
    left = np.random.default_rng(0).random((2048, 2048), np.float32)
    best, ends = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < ends:
        started = time.perf_counter()
        left @ left
        best = max(best, 2 * 2048**3 / (time.perf_counter() - started) / 1e9)
    return best
