"""The results of a sweep with its baseline: table, CSV and figure, and the command that shows the runs."""

import pandas as pd
from rich import box
from rich.table import Table

from cxr.compare.baseline import baselines_like
from cxr.evaluation.figures.drawing import png_of
from cxr.evaluation.figures.sweep import sweep_figure
from cxr.evaluation.metric_table import by_class, overall
from cxr.evaluation.roles import POSITIVE_SLUGS
from cxr.progress import plain_console, wide_console
from cxr.safe_csv import write_csv
from cxr.sweep.outcome import Outcome
from cxr.sweep.plan import Plan, values_of
from cxr.text import in_words, part_in_full
from cxr.tracking.search import LoggedRun, of_sweep, runs_by_id


def results_frame(plan: Plan, outcomes: list[Outcome]) -> pd.DataFrame:
    """One row a job that finished, and one for the baseline on the same data and split, best first by the plan's metric.

    Columns: role, name, run_id, the values of the swept keys, seconds, and every metric of the runs.
    """
    runs = runs_by_id([outcome.run_id for outcome in outcomes if outcome.run_id])
    rows = [
        {
            "role": "candidate",
            "name": outcome.name,
            "run_id": outcome.run_id,
            **_swept_values(plan, outcome),
            "seconds": round(outcome.seconds, 1),
            **_metrics(runs[outcome.run_id]),
        }
        for outcome in outcomes
        if outcome.run_id
    ]
    baselines = baselines_like(next(iter(runs.values())).tags) if runs else []
    for baseline in baselines[:1]:
        rows = [row for row in rows if row["run_id"] != baseline.id]
        rows.append({"role": "baseline", "name": baseline.name, "run_id": baseline.id, **_metrics(baseline)})
    frame = pd.DataFrame(rows)
    if frame.empty:
        return frame
    if plan.metric not in frame:
        frame[plan.metric] = float("nan")  # no job has a value
    return frame.sort_values(
        [plan.metric, "name"], ascending=[plan.direction == "minimize", True], kind="stable", ignore_index=True
    )


def write_results(plan: Plan, frame: pd.DataFrame) -> None:
    """`results.csv` and `results.png` in the sweep's folder."""
    write_csv(frame, plan.folder / "results.csv")
    figure = sweep_figure(frame, plan.metric, f"Sweep {plan.id}")
    (plan.folder / "results.png").write_bytes(png_of(figure, dpi=110))


def print_results(plan: Plan, frame: pd.DataFrame, outcomes: list[Outcome], command: str) -> None:
    """The table on standard output, jobs that did not finish, and the command that continues."""
    out = plain_console()
    if not frame.empty:
        wide_console().print(_table(plan, frame))
    for outcome in outcomes:
        if outcome.kind in ("failed", "rejected"):
            out.print(f"  {outcome.name} {'failed' if outcome.kind == 'failed' else 'was rejected'}: {outcome.reason}")
    missing = plan.count - len(outcomes)
    if missing:
        out.print(f"  {in_words(missing, 'job')} did not end: the same command resumes the sweep")
    if frame.empty:
        return
    if "baseline" not in set(frame["role"]):
        out.print("  There is no baseline on this data and split: baseline.auto=true makes one first")
    out.print(f"  All metrics: {plan.folder}/results.csv, figure: {plan.folder}/results.png")
    out.print(f"  See its runs with  {command} ui --sweep {plan.id}")
    out.print(f"  Anywhere in the UI this filter shows just this sweep:  {of_sweep(plan.id)}")


def _table(plan: Plan, frame: pd.DataFrame) -> Table:
    part = "test" if "test/accuracy" in frame else "val"
    columns = {plan.metric: plan.metric.rpartition("/")[2], **_columns(part, frame)}
    title = f"Sweep {plan.id}, by {plan.metric}; other columns: {part_in_full(part)}"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("run", overflow="fold")
    shown = [column for column in columns if column in frame]
    for column in shown:
        table.add_column(columns[column], justify="right")
    table.add_column("id")
    for _, row in frame.iterrows():
        style = "bold" if row["role"] == "baseline" else None
        name = f"baseline: {row['name']}" if row["role"] == "baseline" else str(row["name"])
        values = [_number(row[column], 4 if column == plan.metric else 3) for column in shown]
        table.add_row(name, *values, str(row["run_id"])[:8], style=style)
    return table


def _number(value: float, digits: int) -> str:
    return "-" if pd.isna(value) else f"{value:.{digits}f}"


def _columns(part: str, frame: pd.DataFrame) -> dict[str, str]:
    """Metrics of the evaluated part that the table shows, and their headings; of the positive class where the runs have one."""
    columns = {f"{part}/{metric.name}": metric.label for metric in overall("sweep")}
    positive = next((name for name in POSITIVE_SLUGS if f"{part}/{name}/sensitivity" in frame), None)
    if positive:
        columns |= {f"{part}/{positive}/{metric.name}": f"{positive} {metric.label}" for metric in by_class("sweep")}
    return columns


def _swept_values(plan: Plan, outcome: Outcome) -> dict[str, str]:
    values = values_of(outcome.overrides)
    return {key: values.get(key, "") for key in plan.swept}


def _metrics(run: LoggedRun) -> dict[str, float]:
    return {name: value for name, value in sorted(run.metrics.items()) if name.startswith(("val/", "test/"))}
