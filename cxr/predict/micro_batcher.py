"""Requests that wait at once are computed in one call: an engine is faster on many images than on one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from cxr.predict.predictor import Scores
from cxr.predict.read import InputFile

Score = Callable[[NDArray[np.uint8], Sequence[InputFile]], Scores]


@dataclass
class _Request:
    images: NDArray[np.uint8]
    seen: Sequence[InputFile]
    found: Scores | None = None
    failed: Exception | None = None


class MicroBatcher:
    """A function `score` for several threads, called by one of them at a time with the images of all that wait.

    No image may change what another gets.
    """

    def __init__(self, score: Score) -> None:
        self._score = score
        self._waiting: list[_Request] = []
        self._at_waiting, self._at_score = Lock(), Lock()

    def score(self, images: NDArray[np.uint8], seen: Sequence[InputFile]) -> Scores:
        """What `score` makes of these images; raises what it raises."""
        own = _Request(images, seen)
        with self._at_waiting:
            self._waiting.append(own)
        with self._at_score:
            if own.found is None and own.failed is None:  # nobody took it along
                with self._at_waiting:
                    taken, self._waiting = self._waiting, []
                self._compute(taken)
        if own.failed is not None:
            raise own.failed
        assert own.found is not None
        return own.found

    def _compute(self, taken: list[_Request]) -> None:
        try:
            whole = self._score(np.concatenate([each.images for each in taken]), [seen for each in taken for seen in each.seen])
        except Exception as error:
            for each in taken:
                each.failed = error
            return
        start = 0
        for each in taken:
            each.found = whole.part(start, start + len(each.images))
            start += len(each.images)
