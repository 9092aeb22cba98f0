"""The model that answers: its files, what was decided on validation, and its description in answers."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from pydantic import TypeAdapter, ValidationError

from cxr.audit.gate import Gate, read_gate
from cxr.audit.orientation import Orientation, read_orientation
from cxr.compare.runs import name_with_id
from cxr.config.schema import Config
from cxr.config.validation import check_values
from cxr.data.images.image_file import DECODER_BY_RULES
from cxr.errors import UserError
from cxr.evaluation.decisions import FILE as DECISIONS
from cxr.evaluation.decisions import Decisions, read_decisions
from cxr.evaluation.operating_points import Rule
from cxr.run.audited import GATE, ORIENTATION
from cxr.run.fit.stored_training import kept_gate
from cxr.run.identity.logged import read_logged, restore
from cxr.run.origin import MODEL
from cxr.text import nearest
from cxr.tracking.logged_run import LoggedRun, sha256_of
from cxr.tracking.models import REGISTERED, fetch_registered
from cxr.tracking.scratch import scratch
from cxr.tracking.search import find_run
from cxr.tracking.store import Store, opened_store

# What a user calls the operating points.
POINTS = {
    "argmax": "argmax",
    "sensitivity": "sensitivity_target",
    "specificity": "specificity_target",
    "cost": "least_cost",
    "calibrated": "calibrated",
}
FACTS = "facts.json"  # of an exported model
CARD = "model_card.md"  # of a run, and of an exported model
DATA = Path("data/model")  # in an exported folder
_VERSION = 1  # of that file
_UNREADABLE = (ValueError, KeyError, OSError, EOFError, BadZipFile)


@dataclass(frozen=True)
class Facts:
    """What answers depend on beside the model's file and what was decided; `run_id` is the run whose thresholds are used.

    `from_float32` is the largest difference of a probability, on phantoms, between `precision` and float32; None before an export.
    """

    version: int
    run_id: str
    run_name: str
    config: str  # fingerprint
    image_size: int
    precision: str
    views: int
    from_float32: float | None = None
    grey: str = "brightest"  # data.grey of the run; models of before version 0.3 have none


@dataclass(frozen=True)
class RunModel:
    """A model, and all that its answers depend on."""

    facts: Facts
    file: Path
    decisions: Decisions
    gate: Gate | None
    orientation: Orientation | None
    sha256: str

    @property
    def config(self) -> Config:
        """A config that shows images to the model as that of its run."""
        facts, plain = self.facts, Config()
        return replace(
            plain,
            data=replace(plain.data, grey=facts.grey),
            backbone=replace(plain.backbone, image_size=facts.image_size),
            training=replace(plain.training, precision=facts.precision),
            evaluation=replace(plain.evaluation, views=facts.views),
        )

    @property
    def name(self) -> str:
        """The run's name and the beginning of its id."""
        return f"{self.facts.run_name} ({self.facts.run_id[:8]})"

    @property
    def unchecked(self) -> list[str]:
        """What this model can't notice: it knows too few images, or its run is of an earlier version."""
        checks = {
            "images unlike those that it knows": self.gate is not None,
            "films that are turned or negatives": self.orientation is not None,
            "images without lungs": self.gate is not None and self.gate.needs_lungs,
        }
        return [kind for kind, is_checked in checks.items() if not is_checked]

    def rule(self, point: str) -> Rule:
        """The operating point that a user calls so.

        Raises:
            UserError: This run has none of that name.
        """
        rule = self.decisions.rule(POINTS.get(point, point))
        if rule is None:
            known = [name for name, stored in POINTS.items() if self.decisions.rule(stored) is not None]
            raise UserError(f"{self.name} has no operating point {point}: {nearest(point, known)}")
        return rule

    def described(self) -> dict[str, Any]:
        """Model, run, versions and settings that answers depend on, as JSON values."""
        image = {"grey": self.facts.grey, "image_size": self.facts.image_size}
        return {
            "cxr": version("cxr"),
            "run": {"id": self.facts.run_id, "name": self.facts.run_name},
            "model_sha256": self.sha256,
            "config": self.facts.config,
            "preprocessing": {"decoder": DECODER_BY_RULES, **image, "rest": "layers of the model"},
            "classes": self.decisions.classes,
            "temperature": self.decisions.temperature,
            "conformal_alpha": self.decisions.conformal.alpha,
            "chosen_on": self.decisions.chosen_on,
            "distance_limit": None if self.gate is None else self.gate.limit,
            "unchecked": self.unchecked,
            "views": self.facts.views,
        }


@dataclass(frozen=True)
class Exported:
    """The folder, the largest difference of each format's probabilities from Keras', and what to install for formats left out."""

    model: RunModel
    folder: Path
    differences: dict[str, float]
    left_out: dict[str, str]


@contextmanager
def model_of(reference: str) -> Iterator[RunModel]:
    """The model of a run id or name, of a folder that was exported, or of models:/NAME@ALIAS; its files are there in the block.

    Raises:
        UserError: The reference names no model.
    """
    folder = Path(reference)
    if reference.startswith(REGISTERED):
        opened_store()
        with scratch() as place:
            yield read_exported(fetch_registered(reference, place) / DATA)
    elif (folder / DATA / FACTS).is_file():
        yield read_exported(folder / DATA)
    elif folder.is_dir() and any(mark in reference for mark in "./"):
        raise UserError(f"{reference} holds no exported model: make one with  cxr export RUN --to FOLDER")
    else:
        yield read_run_model(reference, opened_store())


def read_run_model(reference: str, store: Store) -> RunModel:
    """The model of a run, or of the run behind an evaluation, with the thresholds of the run that is named.

    The store has to be open.

    Raises:
        UserError: The run has no model, or its files can't be read.
    """
    run = find_run(reference, store)
    behind = run_behind(run, store)
    if not behind.has_file(MODEL):
        raise UserError(f"{name_with_id(behind)} has no model: name a run that finished its training (cxr runs lists them)")
    if not run.has_file(DECISIONS):
        raise UserError(f"{name_with_id(run)} has no thresholds yet: finish it with  cxr evaluate {run.short_id}")
    config = restore(read_logged(behind), []).config
    try:
        decisions = read_decisions(run.file(DECISIONS), config.evaluation)
        orientation = read_orientation(behind.file(ORIENTATION)) if behind.has_file(ORIENTATION) else None
    except _UNREADABLE as error:
        raise UserError(f"what {name_with_id(run)} decided can't be read: {_reason(error)}") from None
    shown = config.backbone.image_size, config.training.precision, config.evaluation.views
    facts = Facts(_VERSION, run.id, run.name, behind.tags.get("cxr.config_fingerprint", ""), *shown, grey=config.data.grey)
    file = behind.file(MODEL)
    return RunModel(facts, file, decisions, kept_gate(behind), orientation, sha256_of(file))


def run_behind(run: LoggedRun, store: Store) -> LoggedRun:
    """The run that trained the model: the one that an evaluation evaluates, or the run itself."""
    return find_run(run.tags["cxr.evaluates"], store) if run.tags.get("cxr.role") == "evaluation" else run


def read_exported(folder: Path) -> RunModel:
    """The model in the folder `data/model` of `cxr export`; nothing in it is run.

    Raises:
        UserError: The folder holds no such model, or one of a later version of cxr.
    """
    try:
        facts = TypeAdapter(Facts).validate_json((folder / FACTS).read_bytes(), strict=True)
        if facts.version > _VERSION:
            raise UserError(f"{folder} was written by a later version of cxr: this one is {version('cxr')}")
        paths = {name: folder / Path(name).name for name in (MODEL, DECISIONS, GATE, ORIENTATION)}
        there = set(folder.iterdir())  # with links to nothing, which are checks that can't be read
        model = RunModel(
            facts,
            paths[MODEL],
            read_decisions(paths[DECISIONS], Config().evaluation),
            read_gate(paths[GATE]) if paths[GATE] in there else None,
            read_orientation(paths[ORIENTATION]) if paths[ORIENTATION] in there else None,
            sha256_of(paths[MODEL]),
        )
    except _UNREADABLE as error:
        raise UserError(f"{folder} holds no exported model: {_reason(error)}") from None
    try:
        check_values(model.config)
    except UserError as error:
        raise UserError(f"{folder / FACTS} does not fit: {error}") from None
    return model


def _reason(error: Exception) -> str:
    """What is wrong with a file, in a line."""
    if not isinstance(error, ValidationError):
        return " ".join(str(error).split())[:200]
    first = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}"[:200]
