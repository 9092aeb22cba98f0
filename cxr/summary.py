"""What a run says at its end: where the time went, a short table on standard output, and how to see the rest."""

import os
from collections.abc import Mapping

from rich import box
from rich.console import Console
from rich.table import Table

from cxr.comparison.baseline import AgainstBaseline
from cxr.evaluation.metrics import BY_CLASS
from cxr.evaluation.paired import Difference
from cxr.study import Judgement
from cxr.tracking.run import Run
from cxr.training.inputs import FrozenWork
from cxr.words import in_words, slug

_OVERALL = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "auc_macro_ovr": "macro AUC",
}
_HEADINGS = {"f1": "F1", "auc": "AUC"}


def print_summary(run: Run, headline: Judgement, against: AgainstBaseline | None) -> None:
    """Each class' numbers, the overall ones, how they differ from the baseline, and the command that shows everything."""
    out, numbers = Console(highlight=False, soft_wrap=True), headline.evaluation.numbers
    table = Table(title=f"{run.name}, judged on {headline.part}", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for key in BY_CLASS:
        table.add_column(_HEADINGS.get(key, key), justify="right")
    for name in headline.predictions.classes:
        keys = [f"{slug(name)}/{key}" for key in BY_CLASS]
        table.add_row(name, *(f"{numbers[key]:.3f}" if key in numbers else "-" for key in keys))
    out.print(table)
    out.print("  " + ", ".join(f"{text} {numbers[key]:.3f}" for key, text in _OVERALL.items() if key in numbers))
    if against and against.baseline:
        found = {each.metric: each for each in against.differences}
        told = [f"{_OVERALL[key]} {_signed(found[key])}" for key in ("accuracy", "auc_macro_ovr") if key in found]
        out.print(f"  Against baseline {against.baseline.short_id}: {', '.join(told)}", markup=False)
    elif against:
        out.print(f"  Against the baseline: {against.reason}", markup=False)
    if run.outbox is None:
        command = os.environ.get("CXR_COMMAND", "cxr")
        out.print(f"  Run {run.id} is logged: see it, its figures and report with  {command} ui", markup=False)
    elif not run.lost:
        out.print(f"  Run {run.id} is logged: see it, its figures and report at  {run.outbox.uri}", markup=False)


_STAGES = ("draw", "index", "decode", "frozen", "train", "evaluate", "log", "start")  # as a run goes; imports last


def costs_in_words(seconds: Mapping[str, float], frozen: FrozenWork) -> str:
    """Where a run's time went, in one line.

    >>> costs_in_words({"index": 0.1, "frozen": 5.0, "train": 1.26}, FrozenWork(computed=1500, found=500))
    'Time: index 0.1 s, frozen part 5.0 s (1,500 computed, 300 images/s; 500 from the cache), train 1.3 s'
    """
    told = []
    for name in sorted(seconds, key=lambda name: (*_STAGES, name).index(name)):
        if name == "frozen":
            rate = f"{frozen.computed:,} computed, {frozen.computed / seconds[name]:.0f} images/s; {frozen.found:,} from the cache"
            told.append(f"frozen part {seconds[name]:.1f} s ({rate})")
        else:
            told.append(f"{'start-up' if name == 'start' else name} {seconds[name]:.1f} s")
    if frozen.found and "frozen" not in seconds:
        told.append(f"frozen part 0 s ({in_words(frozen.found, 'activation')} from the cache)")
    return f"Time: {', '.join(told)}"


def _signed(difference: Difference) -> str:
    return f"{difference.difference:+.3f} (95 % interval {difference.low:+.3f} to {difference.high:+.3f})"
