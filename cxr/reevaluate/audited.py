"""The audit of a logged run: its images read again, and the result added to the run."""

import json
from dataclasses import asdict

import numpy as np

from cxr.audit.audit import Audit
from cxr.audit.subject import Subject, chosen_rows
from cxr.config.schema import Config
from cxr.data.dataset import read_dataset
from cxr.data.lung_masks import lung_masks
from cxr.data.sources.locate import locate_images
from cxr.model.freeze import HEAD
from cxr.progress import Progress
from cxr.run.logged import Logged
from cxr.run.prepared import cache_of
from cxr.tracking.run import add_to
from cxr.tracking.scratch import scratch
from cxr.tracking.search import LoggedRun
from cxr.tracking.store import Store

DOCUMENT = "audit/audit.json"


def subject_of(logged: Logged, config: Config, most: int, progress: Progress) -> Subject:
    """Up to `most` images of a run, held-out ones first.

    Training images are added for a frozen backbone only: one that was trained has seen their labels.
    """
    image_list = locate_images(config.data, progress.stage, logged.manifest)
    dataset = read_dataset(config, image_list, progress.stage, cache_of(config, progress), logged.manifest)
    held_out = (dataset.manifest["split"] != "train").to_numpy()
    rows = chosen_rows(dataset.labels, held_out, most, seen_too=config.freeze.trainable_from == HEAD)
    images, manifest = np.asarray(dataset.images[rows]), dataset.manifest.iloc[rows].reset_index(drop=True)
    masks = lung_masks(config.data, image_list.root, manifest, images)
    return Subject(dataset.classes, images, masks.masks, masks.in_words, dataset.labels[rows], manifest, held_out[rows])


def audit_metrics(found: Audit) -> dict[str, float]:
    """The numbers that a sweep can be ordered by, as MLflow metrics; what has no value is left out."""
    inside = [each.in_lungs for each in found.saliency if each.in_lungs is not None]
    values = {
        "audit/images": float(found.images),
        **{f"audit/left_without_lungs_{fill}": each.value for fill, each in found.left_without_lungs.items()},
        **{f"audit/auc_of_{each.trait}": each.auc.value for each in found.traits},
        "audit/auc_of_shuffled_labels": found.shuffled_labels.value,
        "audit/saliency_in_lungs": float(np.mean(inside)) if inside else None,
    }
    return {name: value for name, value in values.items() if value is not None}


def keep_audit(store: Store, run: LoggedRun, found: Audit) -> None:
    """Add audit/audit.json, metrics audit/... and the tag cxr.audit to the run."""
    with scratch() as folder:
        (folder / DOCUMENT).parent.mkdir(parents=True)
        (folder / DOCUMENT).write_text(json.dumps(asdict(found), indent=1, allow_nan=False), encoding="utf-8")
        add_to(store, run, folder, audit_metrics(found), {"cxr.audit": found.verdict.light})
