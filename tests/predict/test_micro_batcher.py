"""Requests at once: each gets what it would get alone, and few calls are made."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.predict.micro_batcher import MicroBatcher
from cxr.predict.predictor import Scores
from cxr.predict.read import InputFile


def images(*levels: int) -> tuple[NDArray[np.uint8], list[InputFile]]:
    return np.array(levels, np.uint8).reshape(-1, 1, 1, 1), [InputFile(str(level)) for level in levels]


def test_those_that_wait_are_computed_in_one_call() -> None:
    calls: list[int] = []
    begun, go_on = Event(), Event()

    def score(some: NDArray[np.uint8], seen: Sequence[InputFile]) -> Scores:
        calls.append(len(some))
        begun.set()
        assert go_on.wait(20)
        return Scores(some.reshape(-1, 1) / 255, some.reshape(-1).astype(float), [[each.path] for each in seen])

    together = MicroBatcher(score)
    with ThreadPoolExecutor(5) as pool:
        first = pool.submit(together.score, *images(1))
        assert begun.wait(20)
        others = [pool.submit(together.score, *images(level, level + 1)) for level in (10, 20, 30, 40)]
        while len(together._waiting) < len(others):
            pass
        go_on.set()
        assert first.result().flags == [["1"]]
        for level, other in zip((10, 20, 30, 40), others, strict=True):
            found = other.result()
            assert found.flags == [[str(level)], [str(level + 1)]]
            assert found.distances is not None
            assert found.distances.tolist() == [level, level + 1]
            assert found.probabilities.shape == (2, 1)
    assert calls == [1, 8]


def test_a_failure_reaches_everybody_that_waited_and_nobody_after() -> None:
    fails = [True]

    def score(some: NDArray[np.uint8], seen: Sequence[InputFile]) -> Scores:
        if fails.pop():
            raise ValueError("broken")
        return Scores(np.ones((len(some), 1)), None, [[] for _ in seen])

    together = MicroBatcher(score)
    with pytest.raises(ValueError, match="broken"):
        together.score(*images(1))
    fails.append(False)
    assert together.score(*images(2)).distances is None
