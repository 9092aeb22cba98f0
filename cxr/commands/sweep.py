"""`cxr sweep status|results ID`: the status of a sweep, and its table, from any machine that sees its store."""

from datetime import datetime, timedelta

from cxr.commands.arguments import parse
from cxr.commands.output import print_table
from cxr.progress import plain_console
from cxr.sweep.results import show_results
from cxr.sweep.status import STATES, JobStatus, SweepStatus, plan_and_outcomes, status_of
from cxr.text import duration, pluralize
from cxr.tracking.unfinished import settled_store


def main(arguments: list[str]) -> int:
    """Print the status or the results of a sweep. Returns 1 for a status with jobs that stopped or were rejected, else 0."""
    args = parse("sweep", arguments)
    settled_store(args.uri)
    if args.action == "results":
        show_results(*plan_and_outcomes(args.id, args.work))
        return 0
    status = status_of(args.id, args.work)
    _show(args.id, status)
    return 1 if status.number("stopped") + status.number("rejected") else 0


def _show(sweep_id: str, status: SweepStatus) -> None:
    out = plain_console()
    counts = ", ".join(f"{number} {state}" for state in STATES if (number := status.number(state)))
    out.print(f"Sweep {sweep_id}: {pluralize(status.count, 'job')}, {counts}")
    if status.jobs:
        headings = ("job", "state", "id", "took")
        print_table(headings, map(_row, status.jobs), left=headings)
    left = status.seconds_left()
    if left is not None:
        out.print(f"  About {duration(left)} to go, to {datetime.now().astimezone() + timedelta(seconds=left):%H:%M on %d %b}")
    if status.number("stopped"):
        out.print("  A job that stopped resumes from its last epoch when it is queued again; the same command as before does that")


def _row(job: JobStatus) -> tuple[str, ...]:
    state = f"{job.state}: {job.reason}" if job.reason else job.state
    return job.name, state, job.run.short_id if job.run else "", "" if job.seconds is None else duration(job.seconds)
