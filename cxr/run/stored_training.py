"""The results of training: stored before any further step, and read back to complete a run."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from pydantic import TypeAdapter

from cxr.audit.gate import Gate, read_gate
from cxr.data.dataset import Dataset
from cxr.data.split import PARTS, Part
from cxr.errors import UserError
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.document import ReportContext
from cxr.run.audited import GATE
from cxr.run.origin import MODEL
from cxr.run.prepared import PreparedRun
from cxr.text import parse_json
from cxr.tracking.run import Run
from cxr.tracking.search import LoggedRun
from cxr.tracking.stage import TRAINED
from cxr.training.history import Epoch, FrozenWork, History, Verified

_TRAINING, _CONTEXT = "training/training.json", "training/facts.json"


@dataclass(frozen=True)
class Trained:
    """A network's training and its predictions of the parts that did not train; `model` is its file, here or in the store."""

    history: History
    predictions: dict[Part, Predictions]
    verified: Verified
    frozen: FrozenWork
    model: Path
    gate: Gate | None  # for images unlike those that it knows; None with too few images


def keep_training(run: Run, prepared: PreparedRun, trained: Trained, folder: Path) -> None:
    """Put what is in `folder` already, predictions and epochs into the store, and mark that they are there.

    A model that is not in `folder` is in the store already.
    """
    for name in ("predictions", "training"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for part, predictions in trained.predictions.items():
        predictions.to_csv(folder / "predictions" / f"{part}.csv")
    document: dict[str, Any] = {
        "classes": prepared.dataset.classes,
        "best_epoch": trained.history.best_epoch,
        "epochs": [asdict(epoch) for epoch in trained.history.epochs],
        "verified": asdict(trained.verified),
        "frozen": asdict(trained.frozen),
    }
    (folder / _TRAINING).write_text(json.dumps(document, indent=1) + "\n")
    run.log_folder(folder)
    if (folder / MODEL).is_file():
        run.log_model(folder / MODEL, prepared.config.backbone.image_size, len(prepared.dataset.classes))
    last = trained.history.epochs[-1].number
    metrics = {"train/best_epoch": float(trained.history.best_epoch), "model/largest_difference": trained.verified.largest}
    run.log_metrics(metrics, step=last)
    run.reached(TRAINED)


def keep_context(run: Run, context: ReportContext, folder: Path) -> None:
    """Put the context of the report into the store, for a report that is made without the images."""
    (folder / "training").mkdir(parents=True, exist_ok=True)
    (folder / _CONTEXT).write_bytes(TypeAdapter(ReportContext).dump_json(context, indent=1) + b"\n")
    run.log_folder(folder)


@dataclass(frozen=True)
class Course:
    """A training without its model and predictions, as a run keeps it."""

    classes: tuple[str, ...]
    history: History
    verified: Verified
    frozen: FrozenWork


def kept_course(run: LoggedRun) -> Course:
    """The epochs of a run; raises `UserError` if they can't be read."""
    try:
        document = parse_json(run.file(_TRAINING).read_bytes())
        history = History([Epoch(**epoch) for epoch in document["epochs"]], int(document["best_epoch"]))
        verified, frozen = Verified(**document["verified"]), FrozenWork(**document["frozen"])
        return Course(tuple(map(str, document["classes"])), history, verified, frozen)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(run, error) from None


def kept_training(run: LoggedRun, dataset: Dataset | None) -> Trained:
    """The training that `keep_training` stored; raises `UserError` if it can't be read, or does not match the `dataset`."""
    course = kept_course(run)
    try:
        parts = [part for part in PARTS if run.has_file(f"predictions/{part}.csv")]
        predictions = {part: Predictions.from_csv(run.file(f"predictions/{part}.csv"), course.classes) for part in parts}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(run, error) from None
    if dataset is not None:
        if course.classes != dataset.classes:
            raise UserError(f"run {run.name} ({run.short_id}) has other classes")
        predictions = {part: _in_order(predictions[part], dataset, part) for part in dataset.parts if part != "train"}
    return Trained(course.history, predictions, course.verified, course.frozen, run.file(MODEL), kept_gate(run))


def _unreadable(run: LoggedRun, error: Exception) -> UserError:
    return UserError(f"what training made of run {run.name} ({run.short_id}) can't be read: {error}")


def kept_gate(run: LoggedRun) -> Gate | None:
    """The gate of a run; None for a run of an earlier version. Raises `UserError` if it can't be read."""
    if not run.has_file(GATE):
        return None
    try:
        return read_gate(run.file(GATE))
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        raise UserError(f"{GATE} of run {run.name} ({run.short_id}) can't be read: {error}") from None


def kept_context(run: LoggedRun) -> ReportContext:
    """The stored context of a run's report; raises `UserError` if it can't be read."""
    try:
        return TypeAdapter(ReportContext).validate_json(run.file(_CONTEXT).read_bytes())
    except ValueError as error:
        raise UserError(
            f"training/facts.json of run {run.name} ({run.short_id}) can't be read: {str(error).splitlines()[0]}"
        ) from None


def _in_order(predictions: Predictions, dataset: Dataset, part: Part) -> Predictions:
    """The predictions in the order of the manifest; raises `UserError` if they are of other images."""
    place = {name: row for row, name in enumerate(predictions.ids)}
    paths = list(dataset.manifest["path"].iloc[dataset.rows(part)])
    if set(place) != set(paths):
        raise UserError(f"predictions/{part}.csv holds other images than the {part} part")
    return predictions.only(np.array([place[path] for path in paths], np.int64))
