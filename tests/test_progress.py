"""Progress: each second counts once, under the innermost stage; the output fits a log file."""

import io
import time

import pytest
from rich.console import Console

from cxr.progress import Progress


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until it is set."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return now


def test_second_is_counted_once_and_repeated_names_add_up(clock: list[float], quiet: Progress) -> None:
    with quiet.stage("train", "Training"):
        clock[0] += 1
        for seconds in (10, 20):
            with quiet.timed("frozen"):
                clock[0] += seconds
                with quiet.timed("decode"):
                    clock[0] += 0.5
        clock[0] += 2
    assert quiet.seconds == {"train": 3, "frozen": 30, "decode": 1}


def test_failed_stage_is_counted_but_not_reported_as_done(clock: list[float]) -> None:
    output = io.StringIO()
    progress = Progress(Console(file=output))

    def fail() -> None:
        with progress.stage("train", "Training"), progress.timed("frozen"):
            clock[0] += 4
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        fail()
    with progress.stage("log", "Logging"):
        clock[0] += 1.25
    assert progress.seconds == {"train": 0, "frozen": 4, "log": 1.25}
    assert output.getvalue() == "Logging: 1.2 s\n"
