"""Simultaneous requests: each gets the result that it would get alone, and few calls are made."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.predict.answer import Answer
from cxr.predict.micro_batcher import MicroBatcher


def request(*levels: int) -> tuple[NDArray[np.uint8], list[Answer]]:
    return np.array(levels, np.uint8).reshape(-1, 1, 1, 1), [Answer(str(level)) for level in levels]


def scored(images: NDArray[np.uint8], files: Sequence[Answer]) -> list[Answer]:
    return [replace(file, distance=float(image.item())) for file, image in zip(files, images, strict=True)]


def test_waiting_requests_are_computed_in_one_call() -> None:
    calls: list[int] = []
    begun, may_continue = Event(), Event()

    def score(images: NDArray[np.uint8], files: Sequence[Answer]) -> list[Answer]:
        calls.append(len(images))
        begun.set()
        assert may_continue.wait(20)
        return scored(images, files)

    batcher = MicroBatcher(score)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(batcher.score, *request(1))
        assert begun.wait(20)
        others = [pool.submit(batcher.score, *request(level, level + 1)) for level in (10, 20, 30, 40)]
        while len(batcher._waiting) < len(others):
            pass
        may_continue.set()
        assert first.result() == scored(*request(1))
        assert [other.result() for other in others] == [scored(*request(level, level + 1)) for level in (10, 20, 30, 40)]
    assert calls == [1, 8]


def test_failure_reaches_waiting_requests_and_no_later_one() -> None:
    fails = [True]

    def score(images: NDArray[np.uint8], files: Sequence[Answer]) -> list[Answer]:
        if fails.pop():
            raise ValueError("broken")
        return scored(images, files)

    batcher = MicroBatcher(score)
    with pytest.raises(ValueError, match="broken"):
        batcher.score(*request(1))
    fails.append(False)
    assert batcher.score(*request(2)) == scored(*request(2))
