"""Tables of runs that differ only in their seed, as `cxr folds` and `cxr compare` print them."""

import pandas as pd
from rich.console import Console

from cxr.commands.output import new_table
from cxr.compare.seeds import INTERVALS
from cxr.evaluation.estimates import PERCENT

_INTERVALS = f"  {PERCENT} intervals of the mean: from seeds (Student's t over trainings), from images (bootstrap), from both."
_SD = "  One more training with another seed differs from the mean by about sd."


def print_spread(console: Console, title: str, table: pd.DataFrame) -> None:
    """Print metrics over seeds (mean, sd, range), or differences of means, with the three intervals."""
    of_difference = "reference" in table
    columns = ("reference", "other", "mean") if of_difference else ("mean", "sd", "lowest", "highest")
    headings = ["difference" if of_difference and column == "mean" else column for column in columns]
    shown = new_table(["", *headings, *INTERVALS.values()], title)
    sign = "+" if of_difference else ""
    for name, row in table.iterrows():
        values = [f"{row[column]:{sign if column == 'mean' else ''}.3f}" for column in columns]
        ends = [f"{row[f'{kind}_low']:{sign}.3f} to {row[f'{kind}_high']:{sign}.3f}" for kind in INTERVALS]
        shown.add_row(str(name), *values, *ends)
    console.print(shown)
    console.print(_INTERVALS)
    if not of_difference:
        console.print(_SD)
