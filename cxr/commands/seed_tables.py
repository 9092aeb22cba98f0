"""Tables of runs that differ only in their seed, as `cxr folds` and `cxr compare` print them."""

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from cxr.compare.seeds import INTERVALS
from cxr.evaluation.estimates import PERCENT

_INTERVALS = f"  {PERCENT} intervals of the mean: from seeds (Student's t over trainings), from images (bootstrap), from both."
_SD = "  One more training with another seed differs from the mean by about sd."


def print_spread(console: Console, title: str, table: pd.DataFrame) -> None:
    """Metrics over seeds (mean, sd, range), or differences of means, with the three intervals."""
    of_difference = "reference" in table
    columns = ("reference", "other", "mean") if of_difference else ("mean", "sd", "lowest", "highest")
    shown = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    shown.add_column("")
    for column in columns:
        shown.add_column("difference" if of_difference and column == "mean" else column, justify="right")
    for words in INTERVALS.values():
        shown.add_column(words, justify="right")
    sign = "+" if of_difference else ""
    for name, row in table.iterrows():
        values = [f"{row[column]:{sign if column == 'mean' else ''}.3f}" for column in columns]
        ends = [f"{row[f'{kind}_low']:{sign}.3f} to {row[f'{kind}_high']:{sign}.3f}" for kind in INTERVALS]
        shown.add_row(str(name), *values, *ends)
    console.print(shown)
    console.print(_INTERVALS)
    if not of_difference:
        console.print(_SD)
