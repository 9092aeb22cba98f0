"""Answers that tests make up, and a disk that is full."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from cxr.predict.answer import Answer

CLASSES = ("COVID", "Normal")


def answered(path: str, p: float = 0.9, zone: str = "fast_track", sha256: str = "ab" * 32) -> Answer:
    probabilities = {"covid": p, "normal": 1 - p}
    called = "COVID" if p >= 0.5 else "Normal"
    return Answer(path, sha256, 96, 80, called, zone, [called], probabilities, probabilities, 12.5)


def refused(path: str) -> Answer:
    probabilities = {"covid": 0.5, "normal": 0.5}
    return Answer(path, "cd" * 32, 96, 80, "", "", [], probabilities, probabilities, 99.0, ["odd"], "odd")


def unread(path: str) -> Answer:
    return Answer(path, "", reason="not an image that can be recognised")


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Writes beyond so many bytes of a file fail, as on a full disk, and what comes before is written."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
