"""Temporary files on their way to the store, or out of it, in a folder that is removed when its process ends."""

import atexit
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from shutil import rmtree
from uuid import uuid4

from filelock import FileLock, Timeout

from cxr.tracking.store import FOLDER

PLACE = FOLDER / "scratch"


_open: list[Path] = []  # folders of the blocks that this process is in


@contextmanager
def scratch() -> Iterator[Path]:
    """A new folder on the disk of the store, also for temporary files of libraries: the system's folder may be full.

    What processes that are gone have left is removed first.
    """
    with _new_folder() as folder:
        before, tempfile.tempdir = tempfile.tempdir, str(folder)
        _open.append(folder)
        try:
            yield folder
        finally:
            _open.pop()
            tempfile.tempdir = before


def download_folder() -> Path:
    """A new folder for the copy of a server's artifact: it goes with the block that this process is in, else with the process."""
    return Path(tempfile.mkdtemp(dir=_open[-1] if _open else _of_process()))


@cache
def _of_process() -> Path:
    end = ExitStack()
    atexit.register(end.close)
    return end.enter_context(_new_folder())


@contextmanager
def _new_folder() -> Iterator[Path]:
    FOLDER.mkdir(exist_ok=True, mode=0o700)
    PLACE.mkdir(exist_ok=True, mode=0o700)
    _sweep()
    folder = PLACE.resolve() / uuid4().hex[:12]
    with FileLock(folder.with_suffix(".lock")) as lock:
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            rmtree(folder, ignore_errors=True)
            Path(lock.lock_file).unlink(missing_ok=True)


def _sweep() -> None:
    """Remove folders whose lock is free: their process has ended. A process takes the lock before it makes its folder."""
    for folder in sorted(path for path in PLACE.iterdir() if path.is_dir()):
        try:
            with FileLock(folder.with_suffix(".lock")).acquire(timeout=0):
                rmtree(folder, ignore_errors=True)
                folder.with_suffix(".lock").unlink(missing_ok=True)
        except (Timeout, OSError):
            continue
