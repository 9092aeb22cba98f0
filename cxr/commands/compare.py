"""`cxr compare`: compare logged runs with paired statistics, as text, CSV and HTML. Loads no TensorFlow."""

import argparse
from pathlib import Path

import pandas as pd

from cxr.commands.arguments import parse
from cxr.commands.folds import print_spread
from cxr.commands.output import check_files, new_table
from cxr.compare.baseline import baselines_like
from cxr.compare.page import write_comparison
from cxr.compare.runs import (
    Comparison,
    compare_runs,
    config_differences,
    describe_evaluated_part,
    differences_frame,
    name_with_id,
    read_evaluated_run,
)
from cxr.compare.seeds import seed_differences
from cxr.data.safe_csv import write_csv
from cxr.errors import UserError
from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.paired import disagreements
from cxr.progress import wide_console
from cxr.text import pluralize
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import FINISHED, find_run, find_runs, finished_runs, of_sweep
from cxr.tracking.unfinished import settled_store

MANY = 50  # runs that one comparison takes


def main(arguments: list[str]) -> None:
    """Print the comparison, and write the requested files.

    Raises:
        UserError: No run is there to compare, or too many are.
    """
    args = parse("compare", arguments)
    check_files(args.csv, args.disagreements, args.html)
    store = settled_store()
    wanted = f"{of_sweep(args.sweep)} and {FINISHED}" if args.sweep else args.filter
    runs = find_runs(args.runs, wanted, store) if args.runs or wanted else finished_runs({"cxr.role": "candidate"})[:1]
    if args.sweep:
        runs = [run for run in runs if run.is_finished]
    if not runs and wanted:
        raise UserError(f"no finished run matches {wanted}: see what there is with cxr ui")
    if not runs:
        raise UserError("no run has finished yet: make one with cxr, or name the runs to compare")
    reference, others = _choose(runs, find_run(args.reference, store) if args.reference else None)
    if len(others) > MANY:
        raise UserError(f"{len(others)} runs are too many to compare at once: name up to {MANY}, or narrow the filter")
    comparison = compare_runs(read_evaluated_run(reference), [read_evaluated_run(run) for run in others], args.primary)
    seeds = seed_differences(comparison)
    written = _write(args, comparison, seeds)  # first: whoever reads the table may close the pipe
    _print(comparison)
    for title, table in seeds:
        print_spread(title, table)
    for content, file in written.items():
        print(f"  {content}: {file}")


def _write(args: argparse.Namespace, comparison: Comparison, seeds: list[tuple[str, pd.DataFrame]]) -> dict[str, Path]:
    """Write the requested files; returns them by what they hold."""
    files: dict[str, Path] = {}
    if args.csv:
        write_csv(differences_frame(comparison), args.csv)
        files["Every number"] = args.csv
    if args.disagreements:
        tables = [
            disagreements(comparison.reference.predictions, other.predictions).assign(run=other.run.name, run_id=other.run.id)
            for other in comparison.others
        ]
        write_csv(pd.concat(tables, ignore_index=True), args.disagreements)
        files["Images that only one run classifies correctly"] = args.disagreements
    if args.html:
        runs = [comparison.reference.run, *(other.run for other in comparison.others)]
        write_comparison(args.html, comparison, seeds, config_differences(runs))
        files["As a page with figures"] = args.html
    return files


def _choose(runs: list[LoggedRun], reference: LoggedRun | None) -> tuple[LoggedRun, list[LoggedRun]]:
    """The reference: the named run, a baseline among the runs, the baseline on their data, or the first run."""
    if reference is None:
        among = [run for run in runs if run.tags.get("cxr.role") == "baseline"]
        reference = [*among, *baselines_like(runs[0].tags), *runs][0]
    others = [run for run in runs if run.id != reference.id]
    if not others:
        raise UserError(
            f"{name_with_id(reference)} has nothing to be compared with: name another run, or make a baseline with "
            "cxr experiment=frozen_head_baseline on the same data"
        )
    return reference, others


def _print(comparison: Comparison) -> None:
    out, reference, many = wide_console(), comparison.reference, ["corrected"] if len(comparison.others) > 1 else []
    out.print(f"Against {name_with_id(reference.run)}, on {describe_evaluated_part(reference)}")
    for other, differences in zip(comparison.others, comparison.differences, strict=True):
        headings = ("", "reference", "this run", "difference", f"{PERCENT} interval", "p", *many, "method")
        table = new_table(headings, name_with_id(other.run), left=("", "method"))
        for row in differences:
            values = f"{row.reference:.3f}", f"{row.other:.3f}", f"{row.difference:+.3f}", row.interval_text
            p_values = row.p_value_text, *([row.adjusted_p_value_text] if many else [])
            name = f"{row.metric} (primary)" if row.metric == comparison.primary else row.metric
            table.add_row(name, *values, *p_values, row.method, style="bold" if row.is_clear else None)
        out.print(table)
        images = disagreements(reference.predictions, other.predictions)
        gained = int((images["right"] == "other").sum())
        lost = pluralize(len(images) - gained, "image")
        out.print(f"  {pluralize(gained, 'image')} right here and wrong there, {lost} the other way round")
    over = f" and, corrected over the {len(comparison.others)} runs (Holm), below 0.05" if many else ""
    out.print("  Interval and p are of one method: Tango (proportions), DeLong (AUC) or bootstrap.")
    out.print(f"  {comparison.primary} was named before; the other metrics explore. Bold: p below 0.05{over}.")
    settings = config_differences([reference.run, *(other.run for other in comparison.others)])
    out.print(f"  Settings that differ:{'' if len(settings) else ' none'}")
    for setting, of_runs in settings.iterrows():
        out.print(f"    {setting}: {', '.join(map(str, of_runs))}")
