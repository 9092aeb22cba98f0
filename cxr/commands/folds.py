"""`cxr folds`: summarise a cross-validation: mean, spread and pooled predictions. Loads no TensorFlow."""

import pandas as pd
from rich import box
from rich.table import Table

from cxr.commands.arguments import parse
from cxr.commands.output import check_folder
from cxr.compare.folds import CrossValidation, gather, like, spread
from cxr.evaluation.metric_table import names_at
from cxr.progress import wide_console
from cxr.safe_csv import write_csv
from cxr.text import in_words
from cxr.tracking.search import FINISHED, filtered_runs, find_run, of_sweep
from cxr.tracking.store import open_store, store_with_runs
from cxr.tracking.unfinished import close_cut_off_runs


def main(arguments: list[str]) -> None:
    """Print one cross-validation, or each of a sweep, and write the requested files."""
    asked = parse("folds", arguments)
    for file in (asked.predictions, asked.csv):
        if file:
            check_folder(file)
    store = store_with_runs()
    open_store(store)
    close_cut_off_runs(store)
    wanted = f"{of_sweep(asked.sweep)} and {FINISHED}" if asked.sweep else FINISHED
    runs = [run for run in filtered_runs(wanted) if run.is_finished]
    found = gather(like(find_run(asked.run, store), runs) if asked.run else runs)
    for each in found if asked.sweep else found[:1]:
        _print(each)
    if asked.predictions:
        found[0].pooled.to_csv(asked.predictions)
        print(f"  Predictions of each image by the network that did not train on it: {asked.predictions}")
    if asked.csv:
        write_csv(pd.concat([spread(each).assign(name=each.name) for each in found]).rename_axis("metric").reset_index(), asked.csv)
        print(f"  Every number: {asked.csv}")


def _print(found: CrossValidation) -> None:
    numbers, console = spread(found), wide_console()
    images = in_words(len(found.pooled.ids), "image")
    table = Table(title=f"{found.name}: {in_words(len(found.runs), 'run')}, {images}", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for heading in ("mean", "sd", "lowest", "highest", "pooled"):
        table.add_column(heading, justify="right")
    for name in names_at("folds", found.runs[0].predictions.classes):
        if name in numbers.index:
            row = numbers.loc[name]
            few = f" (in {row['folds']:.0f} of {len(found.runs)})" if row["folds"] < len(found.runs) else ""
            cells = [f"{row[heading]:.3f}" for heading in ("mean", "sd", "lowest", "highest", "pooled")]
            table.add_row(f"{name}{few}", *cells)
    console.print(table)
    said = ", ".join(f"{turn} {evaluated.run.short_id}" for turn, evaluated in zip(found.turns, found.runs, strict=True))
    console.print(f"  Tested by {said}", soft_wrap=True)
    console.print("  The runs share training images, so their spread is no standard error of the mean.")
