"""`cxr sweep status|results ID`: how a sweep stands, and its table, from any machine that sees its store."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich import box
from rich.table import Table

from cxr.commands.arguments import parse
from cxr.progress import plain_console, wide_console
from cxr.sweep.results import show_results
from cxr.sweep.status import STATES, JobStatus, SweepStatus, plan_and_outcomes, status_of
from cxr.text import duration, pluralize
from cxr.tracking.store import open_store, store_with_runs
from cxr.tracking.unfinished import close_cut_off_runs


def main(arguments: list[str]) -> int:
    """Print it. Returns 1 for the status of a sweep with jobs that stopped or were rejected, else 0."""
    asked = parse("sweep", arguments)
    store = store_with_runs(asked.uri)
    open_store(store)
    close_cut_off_runs(store)
    if asked.action == "results":
        show_results(*plan_and_outcomes(asked.id, asked.work))
        return 0
    standing = status_of(asked.id, asked.work)
    _show(asked.id, standing)
    return 1 if standing.number("stopped") + standing.number("rejected") else 0


def _show(sweep_id: str, standing: SweepStatus) -> None:
    out = plain_console()
    numbers = {state: standing.number(state) for state in STATES}
    told = ", ".join(f"{number} {state}" for state, number in numbers.items() if number)
    out.print(f"Sweep {sweep_id}: {pluralize(standing.count, 'job')}, {told}")
    if standing.jobs:
        wide_console().print(_table(standing.jobs))
    left = standing.seconds_left()
    if left is not None:
        out.print(f"  About {duration(left)} to go, to {datetime.now().astimezone() + timedelta(seconds=left):%H:%M on %d %b}")
    if standing.number("stopped"):
        out.print("  A job that stopped goes on from its last epoch when it is queued again; the same command as before does that")


def _table(jobs: Sequence[JobStatus]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1))
    for heading in ("job", "state", "id", "took"):
        table.add_column(heading, overflow="fold")
    for job in jobs:
        state = f"{job.state}: {job.reason}" if job.reason else job.state
        table.add_row(job.name, state, job.run.short_id if job.run else "", "" if job.seconds is None else duration(job.seconds))
    return table
