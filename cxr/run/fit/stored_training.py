"""The results of training: stored before any further step, and read back to complete a run."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from pydantic import TypeAdapter

from cxr.audit.gate import Gate, read_gate
from cxr.data.dataset import Dataset
from cxr.data.parts import PARTS, Part
from cxr.errors import UserError
from cxr.evaluation.predictions import Predictions
from cxr.evaluation.report.document import ReportContext
from cxr.run.audited import GATE
from cxr.run.origin import MODEL
from cxr.run.prepared import PreparedRun
from cxr.text import parse_json
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.run import Run
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
    history, classes = trained.history, prepared.dataset.classes
    course = Course(classes, history.best_epoch, history.epochs, trained.verified, trained.frozen)
    (folder / _TRAINING).write_text(json.dumps(asdict(course), indent=1) + "\n")
    run.log_folder(folder)
    if (folder / MODEL).is_file():
        run.log_model(folder / MODEL, prepared.config.backbone.image_size, len(classes))
    metrics = {"train/best_epoch": float(history.best_epoch), "model/largest_difference": trained.verified.largest}
    run.log_metrics(metrics, step=history.epochs[-1].number)
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
    best_epoch: int
    epochs: list[Epoch]
    verified: Verified
    frozen: FrozenWork

    @property
    def history(self) -> History:
        """The epochs, and the best of them."""
        return History(self.epochs, self.best_epoch)


def kept_course(run: LoggedRun) -> Course:
    """The epochs of a run.

    Raises:
        UserError: They can't be read.
    """
    with _readable(run, "what training made"):
        return TypeAdapter(Course).validate_python(parse_json(run.file(_TRAINING).read_bytes()))


def kept_training(run: LoggedRun, dataset: Dataset | None) -> Trained:
    """The training that `keep_training` stored.

    Raises:
        UserError: It can't be read, or does not match the `dataset`.
    """
    course = kept_course(run)
    with _readable(run, "what training made"):
        parts = [part for part in PARTS if run.has_file(f"predictions/{part}.csv")]
        predictions = {part: Predictions.from_csv(run.file(f"predictions/{part}.csv"), course.classes) for part in parts}
    if dataset is not None:
        if course.classes != dataset.classes:
            raise UserError(f"run {run.name} ({run.short_id}) has other classes")
        predictions = {part: _in_order(predictions[part], dataset, part) for part in dataset.parts if part != "train"}
    return Trained(course.history, predictions, course.verified, course.frozen, run.file(MODEL), kept_gate(run))


def kept_gate(run: LoggedRun) -> Gate | None:
    """The gate of a run; None for a run of an earlier version.

    Raises:
        UserError: It can't be read.
    """
    with _readable(run, GATE):
        return read_gate(run.file(GATE)) if run.has_file(GATE) else None


def kept_context(run: LoggedRun) -> ReportContext:
    """The stored context of a run's report.

    Raises:
        UserError: It can't be read.
    """
    with _readable(run, _CONTEXT):
        return TypeAdapter(ReportContext).validate_json(run.file(_CONTEXT).read_bytes())


@contextmanager
def _readable(run: LoggedRun, what: str) -> Iterator[None]:
    """Turn the error of a file that does not hold what it should into a `UserError`."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError, OSError, EOFError, BadZipFile) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{what} of run {run.name} ({run.short_id}) can't be read: {reason}") from None


def _in_order(predictions: Predictions, dataset: Dataset, part: Part) -> Predictions:
    """The predictions in the order of the manifest; raises `UserError` if they are of other images."""
    place = {name: row for row, name in enumerate(predictions.ids)}
    paths = list(dataset.manifest["path"].iloc[dataset.rows(part)])
    if set(place) != set(paths):
        raise UserError(f"predictions/{part}.csv holds other images than the {part} part")
    return predictions.only(np.array([place[path] for path in paths], np.int64))
