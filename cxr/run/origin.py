"""The runs that a run takes weights from, found before anything is computed: `backbone.weights=run:NAME` and `training.soup`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cxr.compare.runs import name_with_id
from cxr.config.fields import flat_params
from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.model.freeze import HEAD
from cxr.model.weights import RUN
from cxr.stages.basis import settings_of
from cxr.stages.table import Stage
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import find_run
from cxr.tracking.store import Store, open_store

MODEL = "model/model.keras"  # of a run


def with_origin(config: Config, store: Store) -> tuple[Config, Path | None]:
    """The config with the whole id of the run of `backbone.weights`, and its model; unchanged and None where no run is named.

    Raises:
        UserError: The run is not there, or has no model.
    """
    weights = config.backbone.weights
    if not weights.startswith(RUN):
        return config, None
    (run,) = _runs_with_model([weights.removeprefix(RUN)], store, f"backbone.weights={weights}: ")
    return replace(config, backbone=replace(config.backbone, weights=f"{RUN}{run.id}")), run.file(MODEL)


def with_ingredients(config: Config, store: Store) -> tuple[Config, list[LoggedRun]]:
    """The config with the whole ids of the runs of `training.soup`, and those runs; unchanged and empty without a soup.

    Raises:
        UserError: A run is not there or has no model, or there is one alone.
    """
    if not config.training.soup:
        return config, []
    runs = {run.id: run for run in _runs_with_model(config.training.soup, store)}
    if len(runs) < 2:
        raise UserError(f"a soup needs two runs or more: {name_with_id(*runs.values())} alone is no soup")
    return replace(config, training=replace(config.training, soup=list(runs))), list(runs.values())


def _runs_with_model(references: Sequence[str], store: Store, setting: str = "") -> list[LoggedRun]:
    open_store(store)
    runs = [find_run(reference, store) for reference in references]
    for run in runs:
        if not run.has_file(MODEL):
            raise UserError(f"{setting}run {name_with_id(run)} has no model: name a finished training run")
    return runs


def check_ingredients(runs: Sequence[LoggedRun], config: Config, data: str, split: str) -> None:
    """Raise `UserError` where a run has another network, or was trained on other images or by another split than the soup has.

    A run of another split may have trained on images that test here. `data` and `split` are the fingerprints of the soup's.
    """
    params = flat_params(config)
    # With another network weights at one place mean different things.
    shared = settings_of(params, Stage.NETWORK) | {"backbone.file": params["backbone.file"]}
    for run in runs:
        reasons = [
            f"it has another {what}, so what it trained on may test here"
            for tag, ours, what in (("data", data, "images"), ("split", split, "split"))
            if run.tags.get(f"cxr.{tag}_fingerprint") != ours
        ]
        differing = {key: value for key, value in shared.items() if run.params.get(key, value) != value}
        reasons += [f"it has {key}={run.params[key]}, and others have {value}" for key, value in differing.items()]
        if (run.params.get("freeze.trainable_from") == HEAD) != (config.freeze.trainable_from == HEAD):
            reasons.append("the backbone is frozen in some of its runs, and trained in others")
        if reasons:
            raise UserError(f"run {name_with_id(run)} can't be in this soup: {reasons[0]}")
