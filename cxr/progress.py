"""Progress of a run: bars in a terminal, plain lines in a log file."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

Update = Callable[[int, int], None]  # done, of how many
Stage = Callable[[str, str], AbstractContextManager[Update]]  # name, what is being done


class _Counted(MofNCompleteColumn):
    """The count and the total, once the total is known."""

    def render(self, task: Task) -> Text:
        return Text("") if task.total is None else super().render(task)


class Progress:
    """Shows the current stage, its progress and its duration; keeps the seconds of each stage by name.

    A `job` of a sweep prints no lines and only moves a bar, without a bar if several jobs share the terminal.
    """

    def __init__(self, console: Console | None = None, job: str | None = None, bars: bool = True) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True, markup=False)
        self.job, self.bars = job, bars
        self.seconds: dict[str, float] = {}
        self.log: list[str] = []  # every line with its time, also of a job that prints none
        self._inner = [0.0]  # seconds of the stages within each stage that is under way

    def line(self, text: str) -> None:
        """One line, above any bar; kept with the time of this machine."""
        self.log.append(f"{datetime.now().astimezone().isoformat(timespec='seconds')}  {text}")
        if self.job is None:
            self.console.print(text, markup=False)

    @contextmanager
    def stage(self, name: str, doing: str) -> Iterator[Update]:
        """A stretch of work: yields a function to report progress with, and prints its duration at the end."""
        started = time.perf_counter()
        with self._bar(doing) as update, self.timed(name):
            yield update
        self.line(f"{doing}: {time.perf_counter() - started:.1f} s")

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Count the seconds of the block under a name, and not under that of the stage around it."""
        started = time.perf_counter()
        self._inner.append(0.0)
        try:
            yield
        finally:
            took, inner = time.perf_counter() - started, self._inner.pop()
            self._inner[-1] += took
            self.seconds[name] = self.seconds.get(name, 0.0) + took - inner

    @contextmanager
    def _bar(self, doing: str) -> Iterator[Update]:
        if not (self.console.is_terminal and self.bars):
            yield lambda done, total: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(bar_width=20), _Counted(), TimeRemainingColumn())
        with Bars(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(f"{self.job}: {doing}" if self.job else doing, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)


def wide_console() -> Console:
    """Standard output for tables: a file or a pipe has room for all columns, and untrusted text is no markup."""
    return Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 130)


def plain_console() -> Console:
    """Standard output for lines, which are not wrapped."""
    return Console(highlight=False, markup=False, soft_wrap=True)
