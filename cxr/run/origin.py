"""The run that a backbone's weights come from: `backbone.weights=run:NAME`."""

from dataclasses import replace
from pathlib import Path

from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.model.weights import RUN
from cxr.tracking.search import find_run
from cxr.tracking.store import Store, open_store

MODEL = "model/model.keras"  # of a run


def with_origin(config: Config, store: Store) -> tuple[Config, Path | None]:
    """The config with the whole id of that run in a store, and its model; unchanged and None where no run is named.

    Raises `UserError` for a run that is not there, or has no model.
    """
    named = config.backbone.weights
    if not named.startswith(RUN):
        return config, None
    open_store(store)
    origin = find_run(named.removeprefix(RUN), store)
    if not origin.has_file(MODEL):
        raise UserError(
            f"backbone.weights={named}: run {origin.name} ({origin.short_id}) has no model: name a finished training run"
        )
    return replace(config, backbone=replace(config.backbone, weights=f"{RUN}{origin.id}")), origin.file(MODEL)
