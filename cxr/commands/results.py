"""`cxr results`: presets, or any runs, in one table, as text, Markdown, CSV and HTML. Loads TensorFlow for other data alone."""

import argparse
import sys
from importlib import import_module
from pathlib import Path

from cxr.commands.arguments import parse
from cxr.commands.output import check_files, new_table, print_table
from cxr.compare.cells import columns_of, describe_missing, effects_as_rows, effects_markdown, legend_of, markdown_of
from cxr.compare.effects import Effect, describe_effects, effects_of
from cxr.compare.experiments import Chosen, known_presets, of_presets, of_runs
from cxr.compare.results_page import write_page
from cxr.compare.table import Table, frame_of, table_of
from cxr.data.safe_csv import write_csv
from cxr.errors import UserError
from cxr.progress import Progress, plain_console, wide_console
from cxr.text import as_called, in_shell
from cxr.tracking.search import FINISHED, filtered_runs, find_run, find_runs, of_sweep
from cxr.tracking.store import Store
from cxr.tracking.unfinished import settled_store

_SLOW = ("full",)  # presets that --run makes only if they are named
_CELL = 20  # characters that a cell and its margin need, so that wider tables are printed in parts
_FOLDS = ("split=kfold", "split.fold=0,1,2,3,4")


def main(arguments: list[str]) -> int:
    """Make the missing runs on request, then print the table and write the requested files.

    Raises:
        UserError: Options do not fit each other, or `--external` names no folder.
    """
    args = parse("results", arguments)
    if args.effects and not (args.sweep or args.runs):
        raise UserError("--effects needs the sweep that changed settings: cxr results --sweep ID --effects")
    check_files(args.csv, args.html, args.markdown)
    if args.external and not args.external.is_dir():
        raise UserError(f"--external names {args.external}, which is no folder: name one with a folder of images for each class")
    presets = known_presets(args.presets)
    code = _run(presets if args.presets else [name for name in presets if name not in _SLOW], args.run) if args.run else 0
    store = settled_store(writing=True)
    chosen = _chosen(args, presets, store)
    elsewhere = None
    if args.external:
        from cxr.reevaluate.external import results_on

        elsewhere = results_on(args.external, chosen.experiments, store, Progress())
    table = table_of(chosen, elsewhere)
    effects = effects_of(chosen.experiments) if args.effects else []
    written = _write(args, table, effects)
    _print(table)
    if effects:
        print_table(*effects_as_rows(effects), f"What changes against {effects[0].reference}")
        plain_console().print(f"  {describe_effects(effects)}")
    for content, file in written.items():
        print(f"  {content}: {file}")
    return code


def _run(presets: list[str], overrides: list[str]) -> int:
    """Make what is missing of the presets' folds, as the sweep that a person would start; finished runs are not repeated."""
    folds = () if any(override.startswith("split") for override in overrides) else _FOLDS
    sys.argv[1:] = arguments = ["-m", f"experiment={','.join(presets)}", *folds, *overrides]
    print(as_called(f"Making what is missing with  {in_shell('cxr', *arguments)}"), file=sys.stderr, flush=True)
    return int(import_module("cxr.commands.experiment").main(arguments))


def _chosen(args: argparse.Namespace, presets: list[str], store: Store) -> Chosen:
    if args.runs or args.sweep:
        wanted = f"{of_sweep(args.sweep)} and {FINISHED}" if args.sweep else None
        runs = find_runs(args.runs, wanted, store)
        return of_runs(sorted(runs, key=lambda run: run.started) if args.sweep else runs)
    like = find_run(args.like, store) if args.like else None
    return of_presets(filtered_runs(FINISHED), presets, like)


def _write(args: argparse.Namespace, table: Table, effects: list[Effect]) -> dict[str, Path]:
    """Write the requested files; returns them by what they hold."""
    files: dict[str, Path] = {}
    if args.csv:
        write_csv(frame_of(table), args.csv)
        files["Every number"] = args.csv
    if args.markdown:
        more = f"\n{effects_markdown(effects)}" if effects else ""
        args.markdown.write_text(markdown_of(table) + more, encoding="utf-8")
        files["The table as Markdown"] = args.markdown
    if args.html:
        write_page(args.html, table, effects)
        files["As a page with a figure"] = args.html
    return files


def _print(table: Table) -> None:
    columns, console, out = columns_of(table), wide_console(), plain_console()
    longest = max(len(row.experiment.name) for row in table.rows)
    at_once = max(1, (console.width - longest - 4) // _CELL)
    for start in range(0, len(columns), at_once):
        part = columns[start : start + at_once]
        shown = new_table(["", *(column.short for column in part)])
        shown.columns[0].no_wrap = True
        for row in table.rows:
            shown.add_row(row.experiment.name, *("\n".join(filter(None, column.cell(row))) for column in part))
        console.print(shown)
    for sentence in [*legend_of(table), *describe_missing(table)]:
        out.print(as_called(f"  {sentence}"))
    if table.missing:
        out.print(as_called(f"  cxr results --presets {','.join(table.missing)} --run DATA_OVERRIDES  makes what is missing"))
