"""Parallel work: results in order, from threads or processes, and no process remains."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import pytest

from cxr.data.images.parallel import AllCores
from cxr.errors import UserError
from cxr.system import cores

THREADS, PROCESSES = 1000, 0
Result = TypeVar("Result")
several_cores = pytest.mark.skipif(cores() == 1, reason="with one core there are no processes")


def squares(numbers: Sequence[int]) -> list[int]:
    """The result of a chunk."""
    return [number**2 for number in numbers]


def refuse(numbers: Sequence[int]) -> None:
    """A chunk that goes wrong."""
    if 150 in numbers:
        raise ValueError("150 is too much")


def be_killed(numbers: Sequence[int]) -> None:
    """A process that the system ends."""
    os.kill(os.getpid(), signal.SIGKILL)


def on_all_cores(function: Callable[[Sequence[int]], Result], numbers: Sequence[int], few: int) -> list[Result]:
    with AllCores() as all_cores:
        return list(all_cores.map(function, numbers, few))


@pytest.mark.parametrize("few", [THREADS, PROCESSES])
def test_results_come_in_order_and_errors_unchanged(few: int) -> None:
    assert [number for chunk in on_all_cores(squares, range(300), few) for number in chunk] == squares(range(300))
    assert not on_all_cores(squares, [], few)
    with pytest.raises(ValueError, match="150 is too much"):
        on_all_cores(refuse, range(300), few)


@several_cores
def test_killed_process_is_an_error_of_the_user() -> None:
    with pytest.raises(UserError, match="memory ran out"):
        on_all_cores(be_killed, range(300), PROCESSES)


ENDLESS = """
import time
from tests.data.images.test_parallel import endless, on_all_cores
if __name__ == "__main__":
    on_all_cores(endless, range(300), few=0)
"""


def endless(numbers: Sequence[int]) -> None:
    """Print the process, and never end."""
    print(os.getpid(), flush=True)
    time.sleep(600)


@several_cores
def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    script = tmp_path / "endless.py"
    script.write_text(ENDLESS)
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": root}
    ) as run:
        assert run.stdout
        worker = int(run.stdout.readline())
        run.kill()
        for _ in range(100):
            if not Path(f"/proc/{worker}").exists() or "zombie" in Path(f"/proc/{worker}/status").read_text():
                return
            time.sleep(0.1)
    pytest.fail("a process that reads images outlived the run")
