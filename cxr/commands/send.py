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
    """Send kept results of a folder, and runs of its stores. Raises `UserError` if some could not be sent; they are kept."""
    asked = parse("send", arguments)
    if asked.folder is not None and not asked.folder.is_dir():
        raise UserError(f"{asked.folder} is no folder: name the work.dir of the runs, or a folder with their stores")
    waiting = outboxes(asked.folder or FOLDER)
    carried = _carry(asked.folder, asked.uri) if asked.folder is not None else 0
    if not waiting and not carried:
        print("Nothing waits to be sent.")
    refused = [reason for outbox in waiting if (reason := _send(outbox, asked.uri or outbox.uri))]
    if refused:
        raise UserError("; ".join(refused))


def _carry(folder: Path, uri: str | None) -> int:
    """Send the runs of every store in a folder. Returns how many runs were looked at."""
    from cxr.tracking.carry import carry_runs, stores_in  # imports mlflow

    if not (sources := stores_in(folder)):
        return 0
    target = locate_store(TrackingConfig(uri=uri))
    if not target.is_remote:
        raise UserError("name the server that gets the runs: --uri http://HOST:PORT, or MLFLOW_TRACKING_URI")
    open_store(target)
    done: Counter[str] = Counter()
    for source in sources:
        try:
            for run in carry_runs(source, target):
                done[run.done] += 1
                if run.done != "there already":
                    print(printable(f"{run.name} ({run.id[:8]}): {run.done}"), flush=True)
        except Exception as error:
            if is_lost_connection(error):
                raise UserError(f"{target.uri} was lost: give the same command again, it sends what is missing") from None
            raise
    told = ", ".join(f"{number} {what}" for what, number in done.items())
    print(f"{pluralize(sum(done.values()), 'run')} in {pluralize(len(sources), 'store')}: {told}")
    return sum(done.values())


def _send(outbox: Outbox, uri: str) -> str | None:
    """The reason why it could not be sent; None if it was sent, or its run is not finished."""
    try:
        open_store(locate_store(TrackingConfig(uri=uri)))
    except UserError as error:
        raise UserError(f"{error}; everything is still in {outbox.folder.parent}, and --uri sends it elsewhere") from None
    try:
        with outbox.held(timeout=0):
            outbox.deliver()
    except Timeout:
        print(f"{outbox.name} ({outbox.run_id[:8]}) is under way: it sends itself when it ends.")
        return None
    except Exception as error:
        if is_lost_connection(error):
            raise UserError(f"{uri} was lost again: everything not sent is still in {outbox.folder.parent}") from None
        return f"{outbox.name} ({outbox.run_id[:8]}) can't be sent ({' '.join(str(error).split())}): it stays in {outbox.folder}"
    print(f"Sent {outbox.name} ({outbox.run_id[:8]}) to {uri}.")
    return None
