"""`cxr send`: to a server what it did not get while it was lost, or runs of machines that have no network."""

from collections import Counter
from pathlib import Path

from filelock import Timeout

from cxr.commands.arguments import parse
from cxr.config.schema import TrackingConfig
from cxr.errors import UserError
from cxr.text import pluralize, printable
from cxr.tracking.outbox import Outbox, is_lost_connection, outboxes
from cxr.tracking.store import FOLDER, locate_store, open_store


def main(arguments: list[str]) -> None:
    """Send kept results of a folder, and runs of its stores.

    Raises:
        UserError: Some could not be sent; they are kept.
    """
    args = parse("send", arguments)
    if args.folder is not None and not args.folder.is_dir():
        raise UserError(f"{args.folder} is no folder: name the work.dir of the runs, or a folder with their stores")
    waiting = outboxes(args.folder or FOLDER)
    try:
        carried = _carry(args.folder, args.uri) if args.folder is not None else 0
        refusals = [reason for outbox in waiting if (reason := _deliver(outbox, args.uri or outbox.uri))]
    except Exception as error:
        if is_lost_connection(error):
            raise UserError("the server was lost: give the same command again, it sends what is missing") from None
        raise
    if not waiting and not carried:
        print("Nothing waits to be sent.")
    if refusals:
        raise UserError("; ".join(refusals))


def _carry(folder: Path, uri: str | None) -> int:
    """Send the runs of every store in a folder. Returns how many runs were looked at."""
    from cxr.tracking.carry import carry_runs, name_of, stores_in  # imports mlflow

    if not (sources := stores_in(folder)):
        return 0
    target = locate_store(TrackingConfig(uri=uri))
    if not target.is_remote:
        raise UserError("name the server that gets the runs: --uri http://HOST:PORT, or MLFLOW_TRACKING_URI")
    open_store(target)
    counts: Counter[str] = Counter()
    for run, outcome in (carried for source in sources for carried in carry_runs(source, target)):
        counts[outcome] += 1
        if outcome != "there already":
            print(printable(f"{name_of(run)} ({run.info.run_id[:8]}): {outcome}"), flush=True)
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in counts.items())
    print(f"{pluralize(counts.total(), 'run')} in {pluralize(len(sources), 'store')}: {outcomes}")
    return counts.total()


def _deliver(outbox: Outbox, uri: str) -> str | None:
    """The reason why the server refuses an outbox; None if it was sent, or its run is not finished."""
    try:
        open_store(locate_store(TrackingConfig(uri=uri)))
    except UserError as error:
        raise UserError(f"{error}; everything is still in {outbox.folder.parent}, and --uri sends it elsewhere") from None
    name = f"{outbox.name} ({outbox.run_id[:8]})"
    try:
        with outbox.held(timeout=0):
            outbox.deliver()
    except Timeout:
        print(f"{name} is under way: it sends itself when it ends.")
        return None
    except Exception as error:
        if is_lost_connection(error):
            raise
        return f"{name} can't be sent ({' '.join(str(error).split())}): it stays in {outbox.folder}"
    print(f"Sent {name} to {uri}.")
    return None
