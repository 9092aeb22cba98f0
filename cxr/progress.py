"""What a person sees while a run goes on: bars in a terminal, plain lines in a log file."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.table import Table

from cxr.words import slug

if TYPE_CHECKING:
    from cxr.baseline import AgainstBaseline
    from cxr.evaluation.paired import Difference
    from cxr.study import Judgement

_OVERALL = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "auc_macro_ovr": "macro AUC",
}
Update = Callable[[int, int], None]  # done, of how many
Stage = Callable[[str, str], AbstractContextManager[Update]]  # name, what is being done


class Progress:
    """Says what is being done, how far it is, and how long it took; keeps the seconds of each stage by name.

    A `job` of a sweep, by its name, says nothing but moves a bar, and not even that where several jobs share the terminal.
    """

    def __init__(self, console: Console | None = None, job: str | None = None, bars: bool = True) -> None:
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self.job, self.bars = job, bars
        self.seconds: dict[str, float] = {}

    def line(self, text: str) -> None:
        """One line, above any bar."""
        if self.job is None:
            self.console.print(text, markup=False)

    @contextmanager
    def stage(self, name: str, doing: str) -> Iterator[Update]:
        """A stretch of work: yields a function to report progress with, and prints its duration at the end."""
        started = time.perf_counter()
        with self._bar(doing) as update:
            yield update
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
        self.line(f"{doing}: {time.perf_counter() - started:.1f} s")

    @contextmanager
    def _bar(self, doing: str) -> Iterator[Update]:
        if not (self.console.is_terminal and self.bars):
            yield lambda done, total: None
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Bars(*columns, console=self.console, transient=True) as bars:
            task = bars.add_task(f"{self.job}: {doing}" if self.job else doing, total=None)
            yield lambda done, total: bars.update(task, completed=done, total=total)

    def result(self, run_id: str, run_name: str, headline: "Judgement", against: "AgainstBaseline | None") -> None:
        """The short table at the end of a run, on standard output, and how to see the rest."""
        if self.job is not None:
            return
        out, numbers = Console(highlight=False, soft_wrap=True), headline.evaluation.numbers
        table = Table(title=f"{run_name}, judged on {headline.part}", box=box.SIMPLE_HEAD, title_justify="left")
        for heading in ("", "precision", "sensitivity", "specificity", "F1", "AUC"):
            table.add_column(heading, justify="right" if heading else "left")
        for name in headline.predictions.classes:
            keys = [f"{slug(name)}/{key}" for key in ("precision", "sensitivity", "specificity", "f1", "auc")]
            table.add_row(name, *(f"{numbers[key]:.3f}" if key in numbers else "-" for key in keys))
        out.print(table)
        out.print("  " + ", ".join(f"{text} {numbers[key]:.3f}" for key, text in _OVERALL.items() if key in numbers))
        if against and against.baseline:
            found = {each.metric: each for each in against.differences}
            told = [f"{text} {_signed(found[key])}" for key, text in _OVERALL.items() if key in found]
            out.print(
                f"  Against baseline {against.baseline.id[:8]} (95 % intervals): {', '.join(told[:1] + told[-1:])}", markup=False
            )
        elif against:
            out.print(f"  Against the baseline: {against.reason}", markup=False)
        command = os.environ.get("CXR_COMMAND", "cxr")
        out.print(f"  Run {run_id} is logged: see it, its figures and report with  {command} ui", markup=False)


def wide_console() -> Console:
    """Standard output for tables: a file or a pipe has room for all columns."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else 130)


def _signed(difference: "Difference") -> str:
    return f"{difference.difference:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})"
