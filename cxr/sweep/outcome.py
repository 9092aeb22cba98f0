"""The outcome of each job of a sweep: one small file for each job."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["finished", "before", "rejected", "failed"]


@dataclass(frozen=True)
class Outcome:
    """One job's end: finished now or before, rejected for a user error, or failed."""

    number: int
    name: str
    kind: Kind
    seconds: float = 0.0
    run_id: str | None = None
    objective: float | None = None
    reason: str | None = None
    overrides: tuple[str, ...] = ()

    @property
    def is_bad(self) -> bool:
        """Whether it failed or was rejected."""
        return self.kind in ("failed", "rejected")

    def save(self, folder: Path) -> None:
        """Write it into a sweep's folder, whole or not at all."""
        path = folder / "jobs" / f"{self.number:05d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)) + "\n")
        part.replace(path)


def read_outcomes(folder: Path) -> list[Outcome]:
    """The outcomes of all jobs that have ended, by number."""
    documents = [json.loads(path.read_text()) for path in sorted((folder / "jobs").glob("*.json"))]
    return [Outcome(**{**document, "overrides": tuple(document["overrides"])}) for document in documents]


def forget_outcomes(folder: Path) -> None:
    """Drop what an earlier attempt wrote."""
    for path in (folder / "jobs").glob("*"):
        path.unlink()


def time_left(outcomes: Sequence[Outcome], count: int, at_once: int) -> float | None:
    """Seconds that the jobs to come will take if they take as long as those that ran; none before one has.

    >>> time_left([Outcome(0, "a", "finished", 30.0), Outcome(1, "b", "before", 0.1)], 6, 2)
    60.0
    """
    ran = [outcome.seconds for outcome in outcomes if outcome.kind == "finished"]
    return sum(ran) / len(ran) * (count - len(outcomes)) / at_once if ran else None
