"""`cxr audit RUN`: what the model of a logged run may have learned besides the disease."""

from dataclasses import replace

from rich import box
from rich.table import Table

from cxr.audit.account import account_of
from cxr.commands.arguments import parse
from cxr.compare.runs import name_with_id
from cxr.config.compose import compose, typed
from cxr.errors import UserError
from cxr.evaluation.report.document import AuditSection, AuditTable
from cxr.model.resolve import resolve
from cxr.progress import Progress, plain_console, wide_console
from cxr.reevaluate.audited import add_audit, audit_again
from cxr.reproduce.agreement import check_finished
from cxr.run.identity.logged import read_logged, restore
from cxr.tracking.run import adding_to
from cxr.tracking.scratch import scratch
from cxr.tracking.search import find_run
from cxr.tracking.store import opened_store
from cxr.tracking.unfinished import close_cut_off_runs


def main(arguments: list[str]) -> None:
    """Audit, add the result to the run, and print it."""
    args = parse("audit", arguments)
    store = opened_store()
    close_cut_off_runs(store)
    run = find_run(args.run, store)
    if run.tags.get("cxr.role") == "evaluation":
        raise UserError(f"{name_with_id(run)} is an evaluation: audit the run behind it, {run.tags['cxr.evaluates'][:8]}")
    check_finished(run)
    logged, progress = read_logged(run), Progress()
    own = [override for override in args.elsewhere if override.startswith("audit.")]
    config = resolve(restore(logged, [override for override in args.elsewhere if override not in own]).config).config
    settings = typed(compose([f"audit={'full' if args.full else 'standard'}", *own])[0]).audit
    audited, basis = audit_again(run, logged, replace(config, audit=settings), progress)
    with scratch() as folder, adding_to(store, run) as opened:
        add_audit(opened, audited, basis, folder)
    _print(account_of(audited.audit), name_with_id(run))


def _print(section: AuditSection, run: str) -> None:
    console, plain = wide_console(), plain_console()
    console.print(*map(_table, section.tables))
    for line in [*section.notes, *section.alarms]:
        plain.print(f"  {line}")
    plain.print(f"Verdict on {run}: {section.verdict}")
    plain.print(f"  {section.limits}")
    plain.print(f"  {section.advice}")


def _table(content: AuditTable) -> Table:
    table = Table(title=content.caption, box=box.SIMPLE_HEAD, title_justify="left")
    for place, column in enumerate(content.columns):
        table.add_column(column if place else "", justify="left" if place == 0 or column == "Mostly to" else "right")
    for row in content.rows:
        table.add_row(*row)
    return table
