"""`cxr send`: tell the server what runs could not tell it while the connection was lost."""

import argparse

from cxr.config import TrackingConfig
from cxr.errors import Mistake
from cxr.tracking.outbox import is_lost_connection, outboxes
from cxr.tracking.store import locate_store, open_store
from cxr.words import in_words


def main(arguments: list[str]) -> None:
    """Send everything that this folder's runs kept, or say why not; what is not sent stays."""
    parser = argparse.ArgumentParser(prog="cxr send", description="Send runs to a server that was lost while they ran.")
    parser.parse_args(arguments)
    waiting = outboxes()
    if not waiting:
        print("Nothing waits to be sent.")
        return
    for outbox in waiting:
        open_store(locate_store(TrackingConfig(uri=outbox.uri)))  # raises Mistake where the server does not answer
        try:
            outbox.deliver()
        except Exception as error:
            if not is_lost_connection(error):
                raise
            raise Mistake(f"{outbox.uri} was lost again: everything is still here, say cxr send when it is back") from None
        print(f"Sent {outbox.name} ({outbox.run_id[:8]}) to {outbox.uri}.")
    print(f"{in_words(len(waiting), 'run')} sent.")
