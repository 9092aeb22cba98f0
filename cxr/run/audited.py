"""The audit of a run: of which images, and how it is kept."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from cxr.anatomy.lung_masks import lung_masks
from cxr.audit.audit import Audit, audit
from cxr.audit.changes import CHANGES
from cxr.audit.gate import Gate
from cxr.audit.other_backgrounds import auc_on_other_surroundings
from cxr.audit.subject import Subject, TrainedModel, chosen_rows
from cxr.config.schema import Config
from cxr.data.dataset import Dataset
from cxr.data.images.compression import blockiness
from cxr.data.images.decode import read_grey
from cxr.data.images.limits import UnreadableImage
from cxr.errors import UserError
from cxr.evaluation.figures.drawing import Drawn
from cxr.evaluation.figures.pictures import pairs_figure
from cxr.evaluation.light import TAG
from cxr.evaluation.metrics import WITHOUT_SHORTCUT
from cxr.model.freeze import HEAD
from cxr.tracking.search import LoggedRun

DOCUMENT, GATE, ORIENTATION = "audit/audit.json", "model/gate.npz", "model/orientation.npz"
_SHOWN = 6  # pairs of pictures


@dataclass(frozen=True)
class AuditResult:
    """The audit of a run, its figures, and its metrics by name."""

    found: Audit
    pictures: list[Callable[[], Drawn]]
    metrics: dict[str, float]


def subject_of(config: Config, dataset: Dataset, root: Path, most: int) -> Subject:
    """Up to `most` images of a run, held-out ones first; masks are looked for below `root`.

    Training images are added for a frozen backbone only: one that was trained has seen their labels.
    """
    held_out = (dataset.manifest["split"] != "train").to_numpy()
    rows = chosen_rows(dataset.labels, held_out, most, seen_too=config.freeze.trainable_from == HEAD)
    return _subject(config, dataset, root, rows)


def validation_subject(config: Config, dataset: Dataset, root: Path, most: int) -> Subject:
    """Up to `most` validation images of a run, for what chooses among runs."""
    rows = chosen_rows(dataset.labels, (dataset.manifest["split"] == "val").to_numpy(), most, seen_too=False)
    return _subject(config, dataset, root, rows)


def audit_run(config: Config, dataset: Dataset, root: Path, model: TrainedModel, gate: Gate | None) -> AuditResult:
    """The audit that a config asks for; what chooses among runs is measured on validation images alone."""
    settings = config.audit
    subject = subject_of(config, dataset, root, settings.images)
    result = audit(subject, model, settings, gate)
    without_shortcut = auc_on_other_surroundings(validation_subject(config, dataset, root, settings.seen), model)
    metrics = audit_metrics(result) | ({} if without_shortcut is None else {WITHOUT_SHORTCUT: without_shortcut})
    return AuditResult(result, flips_figure(result, subject) if config.evaluation.pictures else [], metrics)


def read_audit(run: LoggedRun) -> Audit:
    """The audit that a run has in the store; raises `UserError` if it can't be read."""
    try:
        return TypeAdapter(Audit).validate_json(run.file(DOCUMENT).read_bytes())
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{DOCUMENT} of run {run.name} ({run.short_id}) can't be read ({reason}): cxr audit makes another"
        ) from None


def kept_audit(run: LoggedRun, config: Config, dataset: Dataset, root: Path) -> AuditResult:
    """The same with its figures."""
    result = read_audit(run)
    shown = config.evaluation.pictures and bool(result.flips)
    pictures = flips_figure(result, subject_of(config, dataset, root, result.images)) if shown else []
    return AuditResult(result, pictures, {})


def _subject(config: Config, dataset: Dataset, root: Path, rows: NDArray[np.int64]) -> Subject:
    images, manifest = np.asarray(dataset.images[rows]), dataset.manifest.iloc[rows].reset_index(drop=True)
    masks = lung_masks(config.data, root, manifest, images, read_grey)
    blocks = [_blocks_of(root / path) for path in manifest["path"]]
    manifest[["blocks_across", "blocks_down"]] = np.array(blocks).reshape(-1, 2)
    held_out = (manifest["split"] != "train").to_numpy()
    return Subject(dataset.classes, images, masks.masks, masks.text, dataset.labels[rows], manifest, held_out)


def _blocks_of(path: Path) -> tuple[float, float]:
    """Traces of JPEG in a file as it is, before it was resized; raises `UserError` where it can't be read any more."""
    try:
        written = path.stat()
        return _blocks_in(path, written.st_mtime_ns, written.st_size)
    except (OSError, UnreadableImage) as error:
        raise UserError(f"{path} can't be read any more, and an audit looks at it: {error}") from None


@lru_cache(maxsize=20_000)
def _blocks_in(path: Path, written: int, size: int) -> tuple[float, float]:
    return blockiness(np.asarray(read_grey(path)))


def flips_figure(found: Audit, subject: Subject) -> list[Callable[[], Drawn]]:
    """Pictures of the images that changes flip most clearly, before and after, not drawn yet; none if nothing flips."""
    if not found.flips:
        return []
    shown = found.flips[:_SHOWN]
    images = [subject.images[each.row] for each in shown]
    after = [CHANGES[each.change](image[None])[0] for each, image in zip(shown, images, strict=True)]
    titles = [
        (f"{each.before} ({each.probability_before:.2f})", f"{each.change}:\n{each.after} ({each.probability_after:.2f})")
        for each in shown
    ]
    return [partial(pairs_figure, images, after, titles)]


def audit_metrics(found: Audit) -> dict[str, float]:
    """The numbers of an audit as MLflow metrics; what has no value is left out."""
    inside = [each.in_lungs for each in found.saliency if each.in_lungs is not None]
    values = {
        "audit/images": float(found.images),
        **{f"audit/left_without_lungs_{fill}": each.value for fill, each in found.left_without_lungs.items()},
        **{f"audit/auc_of_{each.trait}": each.auc.value for each in found.traits},
        **{f"audit/auc_in_{each.region}": each.model_auc.value for each in found.regions if each.fill == "mean"},
        "audit/kept_on_other_surroundings": found.kept.value,
        "audit/auc_of_shuffled_labels": found.shuffled_labels.value,
        "audit/saliency_in_lungs": float(np.mean(inside)) if inside else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def audit_tags(found: Audit) -> dict[str, str | None]:
    """The light of the verdict."""
    return {TAG: found.verdict.light.value}


def write_audit(folder: Path, found: Audit) -> None:
    """Write audit/audit.json."""
    (folder / DOCUMENT).parent.mkdir(parents=True, exist_ok=True)
    (folder / DOCUMENT).write_text(json.dumps(asdict(found), indent=1, allow_nan=False), encoding="utf-8")
