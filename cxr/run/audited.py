"""The audit of a run: which images it looks at, and how it is stored."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter

from cxr.audit.account import LIMITS, reasons_of
from cxr.audit.audit import Audit, audit
from cxr.audit.gate import Gate
from cxr.audit.probes.changes import CHANGES
from cxr.audit.probes.regions import auc_on_other_backgrounds
from cxr.audit.subject import Subject, TrainedModel, chosen_rows, read_subject
from cxr.config.schema import Config
from cxr.data.dataset import Dataset
from cxr.errors import UserError
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.figures.pictures import pairs_figure
from cxr.evaluation.light import TAG
from cxr.evaluation.metrics import WITHOUT_SHORTCUT
from cxr.model.freeze import HEAD
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.run import Run

DOCUMENT, GATE, ORIENTATION = "audit/audit.json", "model/gate.npz", "model/orientation.npz"
_SHOWN = 6  # pairs of pictures


@dataclass(frozen=True)
class AuditResult:
    """The audit of a run, its figures, not drawn yet, and its metrics by name."""

    audit: Audit
    pictures: list[Callable[[], Drawn]]
    metrics: dict[str, float]


def subject_of(config: Config, dataset: Dataset, root: Path, most: int, only_validation: bool = False) -> Subject:
    """Up to `most` images of a run, held-out ones first; masks are looked for below `root`.

    Training images are added for a frozen backbone only: one that was trained has seen their labels. `only_validation` is for what
    chooses among runs.
    """
    parts = dataset.manifest["split"]
    chosen = ((parts == "val") if only_validation else (parts != "train")).to_numpy()
    with_training = config.freeze.trainable_from == HEAD and not only_validation
    rows = chosen_rows(dataset.labels, chosen, most, with_training)
    manifest = dataset.manifest.iloc[rows].reset_index(drop=True)
    held_out = (manifest["split"] != "train").to_numpy()
    return read_subject(config.data, root, dataset.classes, np.asarray(dataset.images[rows]), manifest, held_out)


def audit_run(config: Config, dataset: Dataset, root: Path, model: TrainedModel, gate: Gate | None) -> AuditResult:
    """The audit that a config asks for; what chooses among runs is measured on validation images alone."""
    settings = config.audit
    subject = subject_of(config, dataset, root, settings.images)
    result = audit(subject, model, settings, gate)
    without_shortcut = auc_on_other_backgrounds(subject_of(config, dataset, root, settings.seen, only_validation=True), model)
    metrics = result.metrics | ({} if without_shortcut is None else {WITHOUT_SHORTCUT: without_shortcut})
    return AuditResult(result, flips_figure(result, subject) if config.evaluation.pictures else [], metrics)


def read_audit(run: LoggedRun) -> Audit:
    """The audit that a run has in the store.

    Raises:
        UserError: It can't be read.
    """
    try:
        return TypeAdapter(Audit).validate_json(run.file(DOCUMENT).read_bytes())
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{DOCUMENT} of run {run.name} ({run.short_id}) can't be read ({reason}): cxr audit makes another"
        ) from None


def kept_audit(run: LoggedRun, config: Config, dataset: Dataset, root: Path) -> AuditResult:
    """The audit that a run has in the store, with its figures.

    Raises:
        UserError: It can't be read.
    """
    result = read_audit(run)
    if not (config.evaluation.pictures and result.flips):
        return AuditResult(result, [], {})
    return AuditResult(result, flips_figure(result, subject_of(config, dataset, root, result.images)), {})


def flips_figure(result: Audit, subject: Subject) -> list[Callable[[], Drawn]]:
    """Pictures of the images that changes flip most clearly, before and after, not drawn yet; none if nothing flips."""
    if not result.flips:
        return []
    flips = result.flips[:_SHOWN]
    images = [subject.images[flip.row] for flip in flips]
    changed = [CHANGES[flip.change](image[None])[0] for flip, image in zip(flips, images, strict=True)]
    titles = [
        (f"{flip.before} ({flip.probability_before:.2f})", f"{flip.change}:\n{flip.after} ({flip.probability_after:.2f})")
        for flip in flips
    ]
    return [partial(pairs_figure, images, changed, titles)]


def log_audit(run: Run, result: AuditResult, folder: Path) -> None:
    """Add audit/audit.json, which is written below `folder`, the metrics, and the light as a tag to an open run."""
    write_audit(folder, result.audit)
    run.log_folder(folder)
    run.log_metrics(result.metrics)
    run.set_tags({TAG: result.audit.verdict.light.value})


def write_audit(folder: Path, result: Audit) -> None:
    """Write audit/audit.json; its reasons and limits are for people, and nothing reads them again."""
    light, places = result.verdict.light, result.verdict.places
    verdict = {"light": light, "reasons": reasons_of(result), "places": places, "limits": LIMITS}
    (folder / DOCUMENT).parent.mkdir(parents=True, exist_ok=True)
    (folder / DOCUMENT).write_text(json.dumps({**asdict(result), "verdict": verdict}, indent=1, allow_nan=False), encoding="utf-8")
