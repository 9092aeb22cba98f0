"""What the questions share: images, processes that are timed, the arithmetic rate of this machine, and tables."""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich import box
from rich.table import Table

from cxr.config.schema import TrackingConfig
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import filtered_runs
from cxr.tracking.store import locate_store, open_store

GFLOP_AN_IMAGE = 0.6  # MobileNetV2 1.0 at 224 px: 300 million multiply-adds (Sandler et al. 2018, table 4)


@dataclass(frozen=True)
class Images:
    """Images in the layout of the radiography database, and weights of MobileNetV2, that all sides use."""

    root: Path
    weights: str
    size: int = 224
    alpha: float = 1.0

    def for_cxr(self) -> list[str]:
        """Overrides."""
        size = [f"backbone.image_size={self.size}", f"backbone.alpha={self.alpha}"]
        return ["data=radiography", f"data.root={self.root}", "backbone=mobilenet_v2", f"backbone.weights={self.weights}", *size]


@dataclass(frozen=True)
class Options:
    """What a question is answered with; `matrix_rate` is that of this machine in GFLOP/s, `args` is the command line."""

    images: Images
    matrix_rate: float
    args: argparse.Namespace


@dataclass(frozen=True)
class Desk:
    """A folder for the runs of one measurement, with a cache of its own that begins empty."""

    folder: Path

    def cxr(self, *arguments: str) -> tuple[float, float, str]:
        """Run one command: see `timed_process`."""
        return timed_process([sys.executable, "-m", "cxr", *arguments], self.folder, CXR_CACHE=str(self.folder / "cache"))

    def runs(self, query: str = "attributes.status = 'FINISHED'") -> list[LoggedRun]:
        """Runs made here that an MLflow filter lets through, latest first."""
        open_store(locate_store(TrackingConfig(uri=f"sqlite:///{self.folder}/mlruns/mlflow.db")))
        return filtered_runs(query)

    def manifest(self) -> pd.DataFrame:
        """The manifest of the last run: which images trained, validated and tested."""
        return pd.read_csv(self.runs()[0].file("data/manifest.csv"), dtype=str)


@contextmanager
def desk() -> Iterator[Desk]:
    """A fresh one, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="cxr-bench-", ignore_cleanup_errors=True) as folder:
        yield Desk(Path(folder))


def timed_process(command: list[str], folder: Path, **environment: str) -> tuple[float, float, str]:
    """Run a command to its end: seconds, peak resident memory in GB, and standard output.

    Standard error is in `stderr.txt` of the folder. Raises `RuntimeError` if the command fails.
    """
    started = time.perf_counter()
    errors = folder / "stderr.txt"
    with errors.open("w") as stderr:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=stderr, text=True
        )
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {errors.read_text()[-2000:]}")
    return time.perf_counter() - started, usage.ru_maxrss * 1024 / 1e9, output


def seconds_of(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def matrix_rate(seconds: float = 2.0) -> float:
    """GFLOP/s of float32 matrix products on all cores, the best of those that fit into so many seconds."""
    factor = np.random.default_rng(0).random((2048, 2048), np.float32)
    best, ends = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < ends:
        best = max(best, 2 * 2048**3 / seconds_of(lambda: factor @ factor) / 1e9)
    return best


def table(title: str, *columns: str) -> Table:
    """A table without rows; the first column, of names, has no header."""
    made = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    made.add_column("")
    for column in columns:
        made.add_column(column, justify="right")
    return made


def add_row(table: Table, name: str, *cells: str) -> None:
    """Add a row, and show it at once on standard error: a whole table may take hours."""
    table.add_row(name, *cells)
    print(name, *cells, file=sys.stderr, flush=True)


def spread(values: list[float], unit: str = "", digits: int = 1) -> str:
    """Median, and the range where there are several."""
    median = f"{statistics.median(values):.{digits}f}{unit}"
    return median if len(values) == 1 else f"{median} ({min(values):.{digits}f}-{max(values):.{digits}f})"
