"""Figures of a report that a second process draws while this one audits the model, where a core is free for it."""

from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from types import TracebackType

from cxr.background import background_process
from cxr.evaluation.figures.drawing import Picture
from cxr.run.artifacts import Results, figures_of
from cxr.system import cores


class BackgroundFigures:
    """One process for one run; without a second core, or where nothing is `wanted`, the run draws later itself."""

    def __init__(self, wanted: bool) -> None:
        self._pool: ProcessPoolExecutor | None = background_process() if wanted and cores() > 1 else None
        self._made: Future[list[Picture]] | None = None

    def __enter__(self) -> "BackgroundFigures":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def start(self) -> None:
        """Start the process: it imports what it draws with."""
        if self._pool is not None:
            try:
                self._pool.submit(_import)
            except OSError:  # there is no memory for another process
                self._pool = None

    def draw(self, results: Results, dpi: int) -> None:
        """Draw `figures_of` these results."""
        if self._pool is not None:
            with suppress(BrokenProcessPool):  # it was killed, perhaps because memory ran out
                self._made = self._pool.submit(figures_of, results, dpi)

    def figures(self) -> list[Picture] | None:
        """What was drawn; None if nothing was, so that the run draws itself and tells what is wrong."""
        if self._made is None:
            return None
        try:
            return self._made.result()
        except Exception:
            return None


def _import() -> None:
    """Nothing: the other process imports this module to find it."""
