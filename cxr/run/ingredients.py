"""The runs whose weights a soup averages: `training.soup`, found and checked before anything is computed."""

from collections.abc import Sequence
from dataclasses import replace

from cxr.compare.runs import name_with_id
from cxr.config.fields import flat_params
from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.model.freeze import HEAD
from cxr.run.origin import MODEL
from cxr.stages.basis import settings_of
from cxr.stages.table import Stage
from cxr.tracking.search import LoggedRun, find_run
from cxr.tracking.store import Store, open_store


def with_ingredients(config: Config, store: Store) -> tuple[Config, list[LoggedRun]]:
    """The config with the whole ids of the runs of `training.soup` in a store, and those runs; unchanged and empty without one.

    Raises `UserError` for a run that is not there or has no model, and for a soup of one.
    """
    if not config.training.soup:
        return config, []
    open_store(store)
    runs = [find_run(reference, store) for reference in config.training.soup]
    for run in runs:
        if not run.has_file(MODEL):
            raise UserError(f"run {name_with_id(run)} has no model: name finished training runs")
    ids = list(dict.fromkeys(run.id for run in runs))
    if len(ids) < 2:
        raise UserError(f"a soup needs two runs or more: {name_with_id(runs[0])} alone is no soup")
    return replace(config, training=replace(config.training, soup=ids)), list({run.id: run for run in runs}.values())


def check_ingredients(runs: Sequence[LoggedRun], config: Config, data: str, split: str) -> None:
    """Raise `UserError` where a run has another network, or was trained on other images or by another split than the soup has.

    A run of another split may have trained on images that test here.
    """
    params = flat_params(config)
    # With another network weights at one place mean different things.
    shared = settings_of(params, Stage.NETWORK) | {"backbone.file": params["backbone.file"]}
    for run in runs:
        for tag, ours, what in (("data", data, "images"), ("split", split, "split")):
            if run.tags.get(f"cxr.{tag}_fingerprint") != ours:
                raise UserError(
                    f"run {name_with_id(run)} can't be in this soup: it has another {what}, so what it trained on may test here"
                )
        for key, value in shared.items():
            if run.params.get(key, value) != value:
                raise UserError(
                    f"run {name_with_id(run)} can't be in this soup: it has {key}={run.params[key]}, and others have {value}"
                )
        if (run.params.get("freeze.trainable_from") == HEAD) != (config.freeze.trainable_from == HEAD):
            raise UserError(
                f"run {name_with_id(run)} can't be in this soup: the backbone is frozen in some of its runs, and trained in others"
            )
