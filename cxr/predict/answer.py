"""One answer: what is said about one file, as a row of a table and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cxr.evaluation.decisions import Decided, Decisions
from cxr.predict.read import InputFile
from cxr.text import slug

ZONE_DESCRIPTIONS = {
    "fast_track": "read first",
    "review": "read in the usual order",
    "routine": "may be read last",
    "": "",
}


@dataclass(frozen=True)
class Answer:
    """What is said about one file. One that is not answered has a reason, and no class, set or zone.

    Probabilities are by class slug, as the model gives them and after temperature. `distance` is the squared Mahalanobis distance
    from known images; `flags` says what makes the image unlike them.
    """

    path: str
    sha256: str
    width: int = 0
    height: int = 0
    called: str = ""
    zone: str = ""
    conformal_set: list[str] = field(default_factory=list)
    probabilities: dict[str, float] = field(default_factory=dict)
    calibrated: dict[str, float] = field(default_factory=dict)
    distance: float | None = None
    flags: list[str] = field(default_factory=list)
    reason: str = ""

    @property
    def is_unreadable(self) -> bool:
        """Whether the model never saw it."""
        return not self.probabilities

    def to_json(self) -> dict[str, Any]:
        """As an object of JSON; paths that are no text keep their bytes as backslash escapes."""
        return {
            "path": as_text(self.path),
            "sha256": self.sha256,
            "width": self.width,
            "height": self.height,
            "class": self.called,
            "zone": self.zone,
            "zone_in_words": ZONE_DESCRIPTIONS[self.zone],
            "conformal_set": self.conformal_set,
            "probabilities": self.probabilities,
            "calibrated": self.calibrated,
            "distance": self.distance,
            "flags": self.flags,
            "reason": self.reason,
        }

    @staticmethod
    def from_json(said: dict[str, Any]) -> "Answer":
        """From what `to_json` gave. Raises `TypeError` or `KeyError` for anything else."""
        given = {key: value for key, value in said.items() if key not in ("class", "zone_in_words")}
        return Answer(**given, called=said["class"])


def as_text(path: str) -> str:
    """A path as answers hold it."""
    return path.encode("utf-8", "backslashreplace").decode()


def row_of(answer: Answer, classes: Sequence[str]) -> dict[str, object]:
    """As a row of a table, the same columns for every answer."""
    said, slugs = answer.to_json(), [slug(name) for name in classes]
    begin = {key: said[key] for key in ("path", "sha256", "width", "height", "class", "zone", "zone_in_words")}
    return {
        **begin,
        "conformal_set": " or ".join(answer.conformal_set),
        **{f"p_{name}": answer.probabilities.get(name, np.nan) for name in slugs},
        **{f"calibrated_{name}": answer.calibrated.get(name, np.nan) for name in slugs},
        "distance": np.nan if answer.distance is None else answer.distance,
        "flags": "; ".join(answer.flags),
        "reason": answer.reason,
    }


def unreadable(seen: InputFile) -> Answer:
    """The answer for a file that the model can't be shown."""
    return Answer(seen.path, seen.sha256, reason=seen.reason)


def answers(
    seen: Sequence[InputFile],
    said: Decisions,
    probabilities: NDArray[np.float64],
    decided: Decided,
    distances: NDArray[np.float64] | None,
    flags: Sequence[list[str]],
    gated: bool,
) -> list[Answer]:
    """The answers for n images that could be read; with `gated` one that is flagged gets no class."""
    slugs, found = [slug(name) for name in said.classes], []
    for row, each in enumerate(seen):
        told = Answer(
            each.path,
            each.sha256,
            each.width,
            each.height,
            probabilities=dict(zip(slugs, map(float, probabilities[row]), strict=True)),
            calibrated=dict(zip(slugs, map(float, decided.calibrated[row]), strict=True)),
            distance=None if distances is None else float(distances[row]),
            flags=list(flags[row]),
        )
        if gated and told.flags:
            found.append(replace(told, reason=f"not answered: {'; '.join(told.flags)}"))
            continue
        names = [name for name, inside in zip(said.classes, decided.sets[row], strict=True) if inside]
        found.append(replace(told, called=said.classes[decided.called[row]], zone=decided.zones[row], conformal_set=names))
    return found
