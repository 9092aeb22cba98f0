"""`cxr results`: presets, or any runs, in one table, as text, Markdown, CSV and HTML. Loads TensorFlow for other data alone."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from rich import box
from rich.table import Table as Drawn

from cxr.commands.arguments import parse
from cxr.commands.output import check_folder
from cxr.data.safe_csv import write_csv
from cxr.errors import UserError
from cxr.progress import Progress, plain_console, wide_console
from cxr.results.cells import columns_of, describe_missing, effects_as_rows, effects_markdown, legend_of, markdown_of
from cxr.results.effects import Effect, effects_of, paragraph
from cxr.results.experiments import Chosen, known_presets, of_presets, of_runs
from cxr.results.page import write_page
from cxr.results.table import Table, frame_of, table_of
from cxr.text import as_called
from cxr.tracking.search import FINISHED, filtered_runs, find_run, find_runs, of_sweep
from cxr.tracking.store import Store, check_store, open_store, store_with_runs
from cxr.tracking.unfinished import close_cut_off_runs

_SLOW = ("full",)  # presets that --run makes only if they are named
_CELL = 20  # characters that a cell and its margin need, so that wider tables are printed in parts
_FOLDS = ("split=kfold", "split.fold=0,1,2,3,4")


def main(arguments: list[str]) -> int:
    """Make the missing runs if asked, then print the table and write the requested files."""
    asked = parse("results", arguments)
    if asked.effects and not (asked.sweep or asked.runs):
        raise UserError("--effects needs the sweep that changed settings: cxr results --sweep ID --effects")
    for file in filter(None, (asked.csv, asked.html, asked.markdown)):
        check_folder(file)
    if asked.external and not asked.external.is_dir():
        raise UserError(f"--external names {asked.external}, which is no folder: name one with a folder of images for each class")
    presets = known_presets(asked.presets)
    code = _run(presets if asked.presets else [name for name in presets if name not in _SLOW], asked.run) if asked.run else 0
    store = store_with_runs()
    check_store(store)
    open_store(store)
    close_cut_off_runs(store)
    chosen = _chosen(asked, presets, store)
    elsewhere = None
    if asked.external:
        from cxr.results.external import results_on

        elsewhere = results_on(asked.external, chosen.experiments, store, Progress())
    table = table_of(chosen, elsewhere)
    effects = effects_of(chosen.experiments) if asked.effects else []
    written = _write(asked, table, effects)
    _print(table)
    if effects:
        _print_effects(effects)
    for what, file in written.items():
        print(f"  {what}: {file}")
    return code


def _run(presets: list[str], overrides: list[str]) -> int:
    """Make what is missing of the presets' folds, as the sweep that a person would start; finished runs are not repeated."""
    folds = () if any(each.startswith("split") for each in overrides) else _FOLDS
    sys.argv[1:] = arguments = ["-m", f"experiment={','.join(presets)}", *folds, *overrides]
    print(as_called(f"Making what is missing with  cxr {' '.join(arguments)}"), file=sys.stderr, flush=True)
    return int(import_module("cxr.commands.experiment").main(arguments))


def _chosen(asked: argparse.Namespace, presets: list[str], store: Store) -> Chosen:
    if asked.runs or asked.sweep:
        wanted = f"{of_sweep(asked.sweep)} and {FINISHED}" if asked.sweep else None
        runs = find_runs(asked.runs, wanted, store)
        return of_runs(sorted(runs, key=lambda run: run.started) if asked.sweep else runs)
    like = find_run(asked.like, store) if asked.like else None
    return of_presets(filtered_runs(FINISHED), presets, like)


def _write(asked: argparse.Namespace, table: Table, effects: list[Effect]) -> dict[str, Path]:
    """Write the requested files; what each of them holds."""
    found: dict[str, Path] = {}
    if asked.csv:
        write_csv(frame_of(table), asked.csv)
        found["Every number"] = asked.csv
    if asked.markdown:
        more = f"\n{effects_markdown(effects)}" if effects else ""
        asked.markdown.write_text(markdown_of(table) + more, encoding="utf-8")
        found["The table as Markdown"] = asked.markdown
    if asked.html:
        write_page(asked.html, table, effects)
        found["As a page with a figure"] = asked.html
    return found


def _print_effects(effects: list[Effect]) -> None:
    """The effects and what they say, to standard output."""
    headings, rows = effects_as_rows(effects)
    drawn = Drawn(title=f"What changes against {effects[0].reference}", box=box.SIMPLE_HEAD, title_justify="left")
    for place, heading in enumerate(headings):
        drawn.add_column(heading, justify="right" if place else "left")
    for row in rows:
        drawn.add_row(*row)
    wide_console().print(drawn)
    plain_console().print(f"  {paragraph(effects)}")


def _print(table: Table) -> None:
    columns, console, out = columns_of(table), wide_console(), plain_console()
    longest = max(len(row.experiment.name) for row in table.rows)
    at_once = max(1, (console.width - longest - 4) // _CELL)
    for start in range(0, len(columns), at_once):
        drawn = Drawn(box=box.SIMPLE_HEAD)
        drawn.add_column("", overflow="fold", no_wrap=True)
        for column in columns[start : start + at_once]:
            drawn.add_column(column.short, justify="right")
        for row in table.rows:
            cells = ["\n".join(filter(None, column.cell(row))) for column in columns[start : start + at_once]]
            drawn.add_row(row.experiment.name, *cells)
        console.print(drawn)
    for sentence in legend_of(table):
        out.print(as_called(f"  {sentence}"))
    for sentence in describe_missing(table):
        out.print(as_called(f"  {sentence}"))
    if table.missing:
        out.print(as_called(f"  cxr results --presets {','.join(table.missing)} --run DATA_OVERRIDES  makes what is missing"))
