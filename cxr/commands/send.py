"""`cxr send`: send to a server the results that it did not get while the connection was lost."""

from filelock import Timeout

from cxr.commands.arguments import parse
from cxr.config.schema import TrackingConfig
from cxr.errors import UserError
from cxr.tracking.outbox import Outbox, is_lost_connection, outboxes
from cxr.tracking.store import locate_store, open_store


def main(arguments: list[str]) -> None:
    """Send all kept results of this folder. Raises `UserError` at the end if some could not be sent; they are kept."""
    uri = parse("send", arguments).uri
    waiting = outboxes()
    if not waiting:
        print("Nothing waits to be sent.")
    refused = [reason for outbox in waiting if (reason := _send(outbox, uri or outbox.uri))]
    if refused:
        raise UserError("; ".join(refused))


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
