"""Requests that wait at once are computed in one call: an engine is faster on many images than on one."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from cxr.predict.answer import Answer

Score = Callable[[NDArray[np.uint8], Sequence[Answer]], list[Answer]]


@dataclass
class _Request:
    images: NDArray[np.uint8]
    files: Sequence[Answer]
    scored: Future[list[Answer]] = field(default_factory=Future)


class MicroBatcher:
    """A function `score` for several threads, called by one of them at a time with the images of all that wait.

    No image may change the result of another.
    """

    def __init__(self, score: Score) -> None:
        self._score = score
        self._waiting: list[_Request] = []
        self._at_waiting, self._at_score = Lock(), Lock()

    def score(self, images: NDArray[np.uint8], files: Sequence[Answer]) -> list[Answer]:
        """The result of `score` for these images; what that raises is raised.

        Args:
            images: (n, size, size, 1).
        """
        own = _Request(images, files)
        with self._at_waiting:
            self._waiting.append(own)
        with self._at_score:
            if not own.scored.done():  # no other thread took it along
                with self._at_waiting:
                    taken, self._waiting = self._waiting, []
                self._compute(taken)
        return own.scored.result()

    def _compute(self, taken: list[_Request]) -> None:
        try:
            images = np.concatenate([request.images for request in taken])
            scored = iter(self._score(images, [file for request in taken for file in request.files]))
        except Exception as error:
            for request in taken:
                request.scored.set_exception(error)
            return
        for request in taken:
            request.scored.set_result([next(scored) for _ in request.files])
