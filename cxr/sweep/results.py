"""The results of a sweep with its baseline: table, CSV and figure, and the command that shows the runs."""

from collections.abc import Mapping

import pandas as pd
from rich import box
from rich.table import Table

from cxr.compare.baseline import baselines_like
from cxr.compare.runs import positive_class_of
from cxr.data.safe_csv import write_csv
from cxr.evaluation.estimates import PERCENT, without_apart
from cxr.evaluation.figures.drawing import png_of
from cxr.evaluation.figures.sweep import sweep_figure
from cxr.evaluation.metric_table import OVERALL, by_class, overall
from cxr.progress import plain_console, wide_console
from cxr.sweep.outcome import Outcome
from cxr.sweep.plan import Plan, values_of
from cxr.text import as_called, in_shell, part_in_full, pluralize
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import of_sweep, runs_here

_ONE_LINE = 120  # columns of a terminal, from which values and intervals share a line


def show_results(plan: Plan, outcomes: list[Outcome]) -> None:
    """The table of a sweep on standard output, and its files in the sweep's folder."""
    ids = dict.fromkeys(outcome.run_id for outcome in outcomes if outcome.run_id)
    runs = runs_here(list(ids))
    frame = results_frame(plan, outcomes, runs)
    if not frame.empty:
        write_results(plan, frame)
    print_results(plan, frame, outcomes)
    if away := len(ids) - len(runs):
        command = in_shell("cxr", "send", plan.work)
        where = f"{pluralize(away, 'run is', 'runs are')} in stores of other machines"
        plain_console().print(as_called(f"  {where}: {command}  brings them to a server"), soft_wrap=True)


def results_frame(plan: Plan, outcomes: list[Outcome], runs: Mapping[str, LoggedRun]) -> pd.DataFrame:
    """One row a job that finished, and one for the baseline on the same data and split, best first by the plan's metric.

    Returns:
        Columns name, the values of the swept keys, the plan's metric, role, run_id, seconds, evaluated_images, and every other
        metric of the runs with the ends of its interval.
    """
    rows = [
        {
            "name": outcome.name,
            **{key: values_of(outcome.overrides).get(key, "") for key in plan.swept},
            plan.metric: float("nan"),  # for jobs that have no value
            "role": "candidate",
            "run_id": outcome.run_id,
            "seconds": round(outcome.seconds, 1),
            **_of_run(runs[outcome.run_id]),
        }
        for outcome in outcomes
        if outcome.run_id and outcome.run_id in runs
    ]
    baselines = baselines_like(next(iter(runs.values())).tags) if runs else []
    for baseline in baselines[:1]:
        rows = [row for row in rows if row["run_id"] != baseline.id]
        rows.append({"role": "baseline", "name": baseline.name, "run_id": baseline.id, **_of_run(baseline)})
    frame = pd.DataFrame(rows)
    if not frame.empty:
        ascending = [plan.direction == "minimize", True]
        frame = frame.sort_values([plan.metric, "name"], ascending=ascending, kind="stable", ignore_index=True)
    return frame


def write_results(plan: Plan, frame: pd.DataFrame) -> None:
    """`results.csv` and `results.png` in the sweep's folder.

    Args:
        frame: that of `results_frame`.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)  # the sweep may have run on another machine
    write_csv(frame, plan.folder / "results.csv")
    figure = sweep_figure(frame, plan.metric, f"Sweep {plan.id}")
    (plan.folder / "results.png").write_bytes(png_of(figure, dpi=110))


def print_results(plan: Plan, frame: pd.DataFrame, outcomes: list[Outcome]) -> None:
    """The table on standard output, jobs that did not finish, and the command that continues.

    Args:
        frame: that of `results_frame`.
    """
    out = plain_console()
    if not frame.empty:
        console = wide_console()
        console.print(_table(plan, frame, one_line=console.width >= _ONE_LINE))
        if len(set(_places(frame, plan))) < len(frame):
            out.print("  Runs with = have equal values and share a place.")
    for outcome in outcomes:
        if outcome.is_bad:
            out.print(f"  {outcome.name} {'failed' if outcome.kind == 'failed' else 'was rejected'}: {outcome.reason}")
    if missing := plan.count - len(outcomes):
        out.print(f"  {pluralize(missing, 'job')} did not end: the same command resumes the sweep")
    if frame.empty:
        return
    if "baseline" not in set(frame["role"]):
        out.print("  There is no baseline on this data and split: baseline.auto=true makes one first")
    out.print(f"  All metrics: {plan.folder}/results.csv, figure: {plan.folder}/results.png")
    out.print(as_called(f"  See its runs with  cxr ui --sweep {plan.id}"))
    out.print(f"  Anywhere in the UI this filter shows just this sweep:  {of_sweep(plan.id)}")


def _table(plan: Plan, frame: pd.DataFrame, one_line: bool) -> Table:
    """Places, names, the plan's metric, and metrics of the evaluated part with their intervals, in one line or below them."""
    part, positive = "test" if "test/accuracy" in frame else "val", next(iter(frame["positive_class"].dropna()), "")
    images = next(iter(frame["evaluated_images"].dropna()), "")
    of = f"; n = {int(images):,} {part_in_full(part)} images, {PERCENT} intervals" if images else ""
    table = Table(
        title=f"Sweep {plan.id}, best first by {plan.metric}{of}", box=box.SIMPLE_HEAD, title_justify="left", padding=(0, 1)
    )
    table.add_column("", justify="right")
    table.add_column("run", overflow="fold")
    table.add_column(_heading(plan.metric), justify="right")
    shown = {name: label for name, label in _columns(part, positive).items() if name in frame and name != plan.metric}
    if not one_line:
        shown.pop(f"{part}/accuracy", None)  # 80 columns hold two metrics with their intervals; the CSV has all
    for label in shown.values():
        table.add_column(f"{part_in_full(part)}\n{label}", justify="right", no_wrap=True)
    table.add_column("id")
    for place, (_, row) in zip(_places(frame, plan), frame.iterrows(), strict=True):
        style = "bold" if row["role"] == "baseline" else None
        name = f"baseline: {row['name']}" if row["role"] == "baseline" else str(row["name"])
        values = [_with_interval(row, column, " " if one_line else "\n") for column in shown]
        table.add_row(place, name, _number(row[plan.metric], 4), *values, str(row["run_id"])[:8], style=style)
    return table


def _places(frame: pd.DataFrame, plan: Plan) -> list[str]:
    """The place of each row; equal values share one, marked with =."""
    ascending = plan.direction == "minimize"
    places = frame[plan.metric].rank(method="min", ascending=ascending, na_option="bottom").astype(int)
    shared = places.value_counts()
    return [f"{place}=" if shared[place] > 1 else str(place) for place in places]


def _heading(metric: str) -> str:
    """The part and the metric, in two lines.

    >>> print(_heading("val/covid/sensitivity_at_specificity"))
    validation
    covid sensitivity_at_specificity
    """
    part, _, name = metric.partition("/")
    known = {row.name: row.label for row in OVERALL}
    return f"{part_in_full(part)}\n{known.get(name, name.replace('/', ' '))}"


def _with_interval(row: pd.Series, column: str, separator: str) -> str:
    low, high = row.get(f"{column}_lo", float("nan")), row.get(f"{column}_hi", float("nan"))
    value = _number(row[column], 3)
    return value if pd.isna(low) or pd.isna(high) else f"{value}{separator}({low:.3f}-{high:.3f})"


def _number(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}"


def _columns(part: str, positive: str) -> dict[str, str]:
    """Metrics of the evaluated part that the table shows, and their headings; of the positive class where the runs have one."""
    columns = {f"{part}/{metric.name}": metric.label for metric in overall("sweep")}
    if positive:
        columns |= {f"{part}/{positive}/{metric.name}": f"{positive}\n{metric.label}" for metric in by_class("sweep")}
    return columns


def _of_run(run: LoggedRun) -> dict[str, float | str]:
    """What was evaluated, and metrics of both parts by name, with the ends of their intervals as NAME_lo and NAME_hi."""
    known = {without_apart(name): value for name, value in run.metrics.items()}
    metrics = {name: value for name, value in sorted(known.items()) if name.startswith(("val/", "test/"))}
    images = run.tags.get("cxr.evaluated_images", "")
    return {"evaluated_images": images, "positive_class": positive_class_of(run), **metrics}
