"""The answer for one file, as a row of a table and as JSON."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from cxr.text import slug

ZONE_DESCRIPTIONS = {"fast_track": "read first", "review": "read in the usual order", "routine": "may be read last", "": ""}

# The names of values in JSON, in their order; the first ones are columns of the table too.
_FIRST = ("path", "sha256", "width", "height", "class", "zone", "zone_in_words")
_NAMES = (*_FIRST, "conformal_set", "probabilities", "calibrated", "distance", "flags", "reason")


@dataclass(frozen=True)
class Answer:
    """The answer for one file: read at first, then scored, then decided. One that is not answered has a reason, and no class.

    Probabilities are by class slug, as the model gives them and after temperature. `distance` is the squared Mahalanobis distance
    from known images; `flags` are what makes the image unlike them. Hashes are sha256 in hex: of the file, and in `pixels`, which
    is not stored, of the grey levels and size that name an image in manifests.
    """

    path: str
    sha256: str = ""
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
    pixels: str = ""

    def to_json(self) -> dict[str, Any]:
        """The answer as an object of JSON; paths that are no text keep their bytes as backslash escapes."""
        values = vars(self) | {"path": as_text(self.path), "class": self.called, "zone_in_words": ZONE_DESCRIPTIONS[self.zone]}
        return {name: values[name] for name in _NAMES}

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Answer":
        """The answer that `to_json` wrote.

        Raises:
            TypeError, KeyError: The values are not those of an answer.
        """
        fields = {key: value for key, value in values.items() if key not in ("class", "zone_in_words")}
        return Answer(**fields, called=values["class"])


def as_text(path: str) -> str:
    """A path as stored answers have it."""
    return path.encode("utf-8", "backslashreplace").decode()


def row_of(answer: Answer, classes: Sequence[str]) -> dict[str, object]:
    """The answer as a row of a table, with the same columns for every answer."""
    values, slugs = answer.to_json(), [slug(name) for name in classes]
    return {
        **{name: values[name] for name in _FIRST},
        "conformal_set": " or ".join(answer.conformal_set),
        **{f"p_{name}": answer.probabilities.get(name, np.nan) for name in slugs},
        **{f"calibrated_{name}": answer.calibrated.get(name, np.nan) for name in slugs},
        "distance": np.nan if answer.distance is None else answer.distance,
        "flags": "; ".join(answer.flags),
        "reason": answer.reason,
    }
