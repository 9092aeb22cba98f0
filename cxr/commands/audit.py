"""`cxr audit RUN`: what the model of a logged run may have learned besides the disease."""

from dataclasses import replace

from rich import box
from rich.table import Table

from cxr.audit.account import account_of
from cxr.audit.audit import Audit
from cxr.commands.arguments import parse
from cxr.compare.runs import name_with_id
from cxr.config.compose import compose, typed
from cxr.errors import UserError
from cxr.evaluation.report.document import AuditTable
from cxr.model.resolve import resolve
from cxr.progress import Progress, plain_console, wide_console
from cxr.reevaluate.audited import audit_again, keep_audit
from cxr.reproduce.agreement import check_finished
from cxr.run.logged import read_logged, restore
from cxr.tracking.search import find_run
from cxr.tracking.store import check_store, open_store, store_with_runs
from cxr.tracking.unfinished import close_cut_off_runs


def main(arguments: list[str]) -> None:
    """Audit, add the result to the run, and print it."""
    asked = parse("audit", arguments)
    store = store_with_runs()
    check_store(store)
    open_store(store)
    close_cut_off_runs(store)
    run = find_run(asked.run, store)
    if run.tags.get("cxr.role") == "evaluation":
        raise UserError(f"{name_with_id(run)} is an evaluation: audit the run behind it, {run.tags['cxr.evaluates'][:8]}")
    check_finished(run)
    logged, progress = read_logged(run), Progress()
    own = [override for override in asked.elsewhere if override.startswith("audit.")]
    config = resolve(restore(logged, [override for override in asked.elsewhere if override not in own]).config).config
    settings = typed(compose([f"audit={'full' if asked.full else 'standard'}", *own])[0]).audit
    audited, basis = audit_again(run, logged, replace(config, audit=settings), progress)
    keep_audit(store, run, audited, basis)
    _print(audited.found, name_with_id(run))


def _print(found: Audit, run: str) -> None:
    console, plain, said = wide_console(), plain_console(), account_of(found)
    console.print(*map(_table, said.tables))
    for line in [*said.notes, *said.alarms]:
        plain.print(f"  {line}")
    plain.print(f"Verdict on {run}: {said.verdict}")
    plain.print(f"  {said.limits}")
    plain.print(f"  {said.advice}")


def _table(said: AuditTable) -> Table:
    table = Table(title=said.caption, box=box.SIMPLE_HEAD, title_justify="left")
    for place, column in enumerate(said.columns):
        table.add_column(column if place else "", justify="left" if place == 0 or column == "Mostly to" else "right")
    for row in said.rows:
        table.add_row(*row)
    return table
