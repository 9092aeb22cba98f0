"""`cxr audit RUN`: what the model of a logged run may have learned besides the disease."""

from dataclasses import replace

from cxr.audit.account import account_of
from cxr.commands.arguments import parse
from cxr.commands.output import print_table
from cxr.compare.runs import name_with_id
from cxr.config.compose import compose, typed
from cxr.errors import UserError
from cxr.evaluation.report.document import AuditSection
from cxr.model.resolve import resolve
from cxr.progress import Progress, plain_console
from cxr.reevaluate.audited import add_audit, audit_again
from cxr.reproduce.agreement import check_finished
from cxr.run.identity.logged import read_logged, restore
from cxr.tracking.run import adding_to
from cxr.tracking.scratch import scratch
from cxr.tracking.search import find_run
from cxr.tracking.unfinished import settled_store


def main(arguments: list[str]) -> None:
    """Audit, add the result to the run, and print it.

    Raises:
        UserError: The run is an evaluation.
    """
    args = parse("audit", arguments)
    store = settled_store(writing=True)
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
    for table in section.tables:
        print_table(["", *table.columns[1:]], table.rows, table.caption, left=("", "Mostly to"))
    plain = plain_console()
    for line in [*section.notes, *section.alarms]:
        plain.print(f"  {line}")
    plain.print(f"Verdict on {run}: {section.verdict}")
    plain.print(f"  {section.limits}")
    plain.print(f"  {section.advice}")
