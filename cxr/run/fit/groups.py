"""Which jobs of a sweep train their heads side by side, and the note for each of them. Imports no TensorFlow."""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cxr.model.freeze import HEAD
from cxr.run.prepared import PreparedRun
from cxr.stages.basis import of_head
from cxr.stages.table import Stage

_NOTE = "side_by_side.json"


@dataclass(frozen=True)
class SideBySide:
    """The seconds of a group of heads together, and the part of the frozen work that one of its jobs accounts for."""

    heads: int
    training: float
    frozen: float = 0.0
    computed: int = 0  # activations

    def write(self, folder: Path) -> None:
        """Write it next to the checkpoint of one of its jobs."""
        (folder / _NOTE).write_text(json.dumps(asdict(self)))

    @staticmethod
    def read(folder: Path) -> "SideBySide | None":
        """The note in a folder; None for a job that trains alone."""
        try:
            return SideBySide(**json.loads((folder / _NOTE).read_text()))
        except (OSError, ValueError, TypeError):
            return None


def groups_of_heads(prepared_jobs: Sequence[PreparedRun], done: Collection[int]) -> list[list[int]]:
    """Numbers of jobs that train side by side, in groups of two and more."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, prepared in enumerate(prepared_jobs):
        if number not in done and not why_alone(prepared):
            groups.setdefault(_shared(prepared), []).append(number)
    return [numbers for numbers in groups.values() if len(numbers) > 1]


def why_alone(prepared: PreparedRun) -> str:
    """The settings for which a job can't train side by side with others; "" if it can."""
    config = prepared.config
    reasons = {
        "a backbone that trains": config.freeze.trainable_from != HEAD,
        "training.cache=false": prepared.cache is None,
        "training.deterministic=true": config.training.deterministic,
        f"training.precision={config.training.precision}": config.training.precision != "float32",
        "training.soup": bool(prepared.ingredients),
        "training.weight_average": bool(config.training.weight_average),
        "augment.mixup": bool(config.augment.mixup),
        "optimizer.clip_norm": config.optimizer.clip_norm is not None,
        "loss.group_robust": bool(config.loss.group_robust),
        "force=true": config.force,
    }
    return ", ".join(reason for reason, holds in reasons.items() if holds)


def _shared(prepared: PreparedRun) -> tuple[object, ...]:
    """All that the jobs of a group have in common."""
    basis = prepared.inputs.bases[Stage.TRAIN]
    same = {key: value for key, value in basis.settings.items() if not of_head(key)}
    return tuple(tuple(sorted(part.items())) for part in (same, basis.columns, basis.files))
