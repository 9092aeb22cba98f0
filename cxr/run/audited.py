"""The audit of a run: of which images, by which model, and how it is kept."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np

from cxr.audit.audit import Audit
from cxr.audit.subject import Subject, chosen_rows
from cxr.config.schema import Config
from cxr.data.dataset import Dataset
from cxr.data.lung_masks import lung_masks
from cxr.model.freeze import HEAD

DOCUMENT = "audit/audit.json"


def subject_of(config: Config, dataset: Dataset, root: Path, most: int) -> Subject:
    """Up to `most` images of a run, held-out ones first; masks are looked for below `root`.

    Training images are added for a frozen backbone only: one that was trained has seen their labels.
    """
    held_out = (dataset.manifest["split"] != "train").to_numpy()
    rows = chosen_rows(dataset.labels, held_out, most, seen_too=config.freeze.trainable_from == HEAD)
    images, manifest = np.asarray(dataset.images[rows]), dataset.manifest.iloc[rows].reset_index(drop=True)
    masks = lung_masks(config.data, root, manifest, images)
    return Subject(dataset.classes, images, masks.masks, masks.in_words, dataset.labels[rows], manifest, held_out[rows])


def audit_metrics(found: Audit) -> dict[str, float]:
    """The numbers of an audit as MLflow metrics; what has no value is left out."""
    inside = [each.in_lungs for each in found.saliency if each.in_lungs is not None]
    values = {
        "audit/images": float(found.images),
        **{f"audit/left_without_lungs_{fill}": each.value for fill, each in found.left_without_lungs.items()},
        **{f"audit/auc_of_{each.trait}": each.auc.value for each in found.traits},
        "audit/auc_of_shuffled_labels": found.shuffled_labels.value,
        "audit/saliency_in_lungs": float(np.mean(inside)) if inside else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def audit_tags(found: Audit) -> dict[str, str | None]:
    """The light of the verdict."""
    return {"cxr.audit": found.verdict.light}


def write_audit(folder: Path, found: Audit) -> None:
    """Write audit/audit.json."""
    (folder / DOCUMENT).parent.mkdir(parents=True, exist_ok=True)
    (folder / DOCUMENT).write_text(json.dumps(asdict(found), indent=1, allow_nan=False), encoding="utf-8")
