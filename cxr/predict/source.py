"""Where a model comes from: a run of this store, an exported folder, or the registry."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxr.errors import UserError
from cxr.predict.model import FACTS, RunModel, read_exported, read_run_model
from cxr.tracking.models import REGISTERED, fetch_registered
from cxr.tracking.scratch import scratch
from cxr.tracking.store import Store, check_store, open_store, store_with_runs

DATA = Path("data/model")  # in an exported folder


@contextmanager
def model_of(reference: str) -> Iterator[RunModel]:
    """The model of a run id or name, of a folder that was exported, or of models:/NAME@ALIAS; its files are there in the block.

    Raises `UserError` for anything else.
    """
    folder = Path(reference)
    if reference.startswith(REGISTERED):
        opened_store()
        with scratch() as place:
            yield read_exported(fetch_registered(reference, place) / DATA)
    elif (folder / DATA / FACTS).is_file():
        yield read_exported(folder / DATA)
    elif folder.is_dir() and any(mark in reference for mark in "./"):
        raise UserError(f"{reference} holds no exported model: make one with  cxr export RUN --to FOLDER")
    else:
        yield read_run_model(reference, opened_store())


def opened_store() -> Store:
    """The store of this folder, open; raises `UserError` for one without runs."""
    store = store_with_runs()
    check_store(store)
    open_store(store)
    return store
