"""The model of a run that is asked: its files, what was decided on validation, and what it is called in an answer."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from cxr.audit.gate import Gate
from cxr.audit.orientation import Orientation, read_orientation
from cxr.compare.runs import in_short
from cxr.config.schema import Config
from cxr.data.images.image_file import DECODER
from cxr.errors import UserError
from cxr.evaluation.decisions import FILE as DECISIONS
from cxr.evaluation.decisions import Decisions, read_decisions
from cxr.evaluation.operating_points import Rule
from cxr.run.audited import ORIENTATION
from cxr.run.logged import read_logged, restore
from cxr.run.origin import MODEL
from cxr.run.stored_training import kept_gate
from cxr.text import nearest
from cxr.tracking.search import LoggedRun, find_run
from cxr.tracking.store import Store

# What a user calls the operating points.
POINTS = {
    "argmax": "argmax",
    "sensitivity": "sensitivity_target",
    "specificity": "specificity_target",
    "cost": "least_cost",
    "calibrated": "calibrated",
}


@dataclass(frozen=True)
class RunModel:
    """A model, and all that its answers depend on; `run` is the one whose thresholds are used."""

    run: LoggedRun
    file: Path
    config: Config
    decisions: Decisions
    gate: Gate | None
    orientation: Orientation | None
    sha256: str

    def rule(self, point: str) -> Rule:
        """The operating point that a user calls so; raises `UserError` where this run has none of that name."""
        found = self.decisions.rule(POINTS[point])
        if found is None:
            known = [name for name, rule in POINTS.items() if self.decisions.rule(rule) is not None]
            raise UserError(f"run {in_short(self.run)} has no operating point {point}: {nearest(point, known)}")
        return found

    def described(self) -> dict[str, Any]:
        """What tells one source of answers from another, as JSON values."""
        return {
            "cxr": version("cxr"),
            "run": {"id": self.run.id, "name": self.run.name},
            "model_sha256": self.sha256,
            "config": self.run.tags.get("cxr.config_fingerprint", ""),
            "preprocessing": {"decoder": DECODER, "image_size": self.config.backbone.image_size, "rest": "layers of the model"},
            "classes": self.decisions.classes,
            "temperature": self.decisions.temperature,
            "conformal_alpha": self.decisions.conformal.alpha,
            "chosen_on": self.decisions.chosen_on,
            "distance_limit": None if self.gate is None else self.gate.limit,
            "views": self.config.evaluation.views,
        }


def read_run_model(reference: str, store: Store) -> RunModel:
    """The model of a run, or of the run behind an evaluation, with the thresholds of the run that is named.

    The store has to be open. Raises `UserError` for a run that has no model, or whose files can't be read.
    """
    run = find_run(reference, store)
    behind = find_run(run.tags["cxr.evaluates"], store) if run.tags.get("cxr.role") == "evaluation" else run
    if not behind.has_file(MODEL):
        raise UserError(f"{in_short(behind)} has no model: name a run that finished its training (cxr runs lists them)")
    if not run.has_file(DECISIONS):
        raise UserError(f"{in_short(run)} has no thresholds yet: finish it with  cxr evaluate {run.short_id}")
    config = restore(read_logged(behind), []).config
    try:
        decisions = read_decisions(run.file(DECISIONS), config.evaluation)
        orientation = read_orientation(behind.file(ORIENTATION)) if behind.has_file(ORIENTATION) else None
    except (ValueError, KeyError, OSError, EOFError, BadZipFile) as error:
        raise UserError(f"what {in_short(run)} decided can't be read: {' '.join(str(error).split())[:200]}") from None
    file = behind.file(MODEL)
    with file.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return RunModel(run, file, config, decisions, kept_gate(behind), orientation, sha256)
