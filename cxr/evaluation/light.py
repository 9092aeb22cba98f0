"""The light of an audit: how strong the evidence of a shortcut is, as a value that code compares, and as a label."""

from collections.abc import Mapping
from enum import StrEnum

TAG = "cxr.audit"  # of a run that was audited


class Light(StrEnum):
    """The evidence of a shortcut that an audit has; values are those of the tag and of stored files."""

    NONE = "none"
    SOME = "some"
    STRONG = "strong"
    UNKNOWN = "unknown"  # too little was measured to say

    @property
    def label(self) -> str:
        """For people.

        >>> Light.NONE.label, Light.UNKNOWN.label
        ('no evidence of a shortcut', 'not known')
        """
        return _LABELS[self]


_LABELS = {
    Light.NONE: "no evidence of a shortcut",
    Light.SOME: "some evidence of a shortcut",
    Light.STRONG: "strong evidence of a shortcut",
    Light.UNKNOWN: "not known",
}


def light_of(tags: Mapping[str, str]) -> Light | None:
    """The light in the tags of a run, None for a run that was not audited; a value that is no light is `UNKNOWN`.

    >>> light_of({"cxr.audit": "strong"}), light_of({"cxr.audit": "green"}), light_of({})
    (<Light.STRONG: 'strong'>, <Light.UNKNOWN: 'unknown'>, None)
    """
    if TAG not in tags:
        return None
    return Light(tags[TAG]) if tags[TAG] in set(Light) else Light.UNKNOWN
