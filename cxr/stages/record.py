"""The record of a stage that a run keeps, and what of a finished run has to be made again, with the reasons."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from cxr.config.renamed import renamed_params
from cxr.stages.basis import ITEMS, ROW, Basis
from cxr.stages.table import Stage
from cxr.text import parse_json

# Name of an artifact: its bytes and the SHA-256 of its content.
Files = Mapping[str, tuple[int, str]]
_ABSENT = "without effect"


class Kind(StrEnum):
    """Why a stage has to run."""

    FORCED = "forced"
    NEW = "new"  # no earlier run is like it
    OLDER = "older"  # made by a version that kept no record
    MISSING = "missing"  # it has not run
    LOST = "lost"  # what it wrote is gone or was changed
    SETTING = "setting"
    COLUMN = "column"
    FILE = "file"
    CODE = "code"
    LIBRARY = "library"
    EARLIER = "earlier"  # a stage before it runs, or has run since
    COPIED = "copied"  # it is of another run, whose training is copied


@dataclass(frozen=True)
class Reason:
    """One reason, by the name of what differs, with its value then and now where these say anything."""

    kind: Kind
    name: str = ""
    then: str = ""
    now: str = ""


@dataclass(frozen=True)
class Record:
    """What a stage of a run rests on, and what it wrote."""

    basis: Basis
    files: Files

    def to_json(self) -> str:
        """The content of stages/STAGE.json."""
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @staticmethod
    def from_json(text: str) -> "Record":
        """The record in the content of stages/STAGE.json.

        Raises:
            ValueError: The text is no record.
        """
        try:
            content = parse_json(text)
            files = {str(name): (int(size), str(sha256)) for name, (size, sha256) in content["files"].items()}
            basis = Basis(**content["basis"])
            return Record(replace(basis, settings=renamed_params(basis.settings)), files)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it is not the record of a stage ({error})") from None


def file_of(stage: Stage) -> str:
    """The artifact that holds the record of a stage."""
    return f"stages/{stage}.json"


def tag_of(stage: Stage) -> str:
    """The tag that holds the fingerprint of a stage."""
    return f"cxr.{stage}_fingerprint"


def written_by(stage: Stage, files: Files) -> Files:
    """Those of the files that a stage writes."""
    return {name: file for name, file in files.items() if any(fnmatchcase(name, pattern) for pattern in ROW[stage].writes)}


def differences(then: Basis, now: Basis) -> list[Reason]:
    """What differs between what a stage rested on and what it rests on now, beside the stages before it."""
    kinds = (Kind.SETTING, Kind.COLUMN, Kind.FILE, Kind.CODE, Kind.LIBRARY)
    pairs = [(getattr(then, name), getattr(now, name)) for name in ITEMS]
    return [
        Reason(kind, name, before.get(name, _ABSENT), after.get(name, _ABSENT))
        for kind, (before, after) in zip(kinds, pairs, strict=True)
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def to_make(
    records: Mapping[Stage, Record], wanted: Sequence[Stage], bases: Mapping[Stage, Basis], lost: Callable[[Record], list[str]]
) -> dict[Stage, list[Reason]]:
    """The wanted stages that a run lacks, with the reasons; `lost` names the files of a record that changed since."""
    reasons_by_stage: dict[Stage, list[Reason]] = {}
    for stage in wanted:
        record = records.get(stage)
        if record is None:
            reasons_by_stage[stage] = [Reason(Kind.MISSING)]
            continue
        reasons = differences(record.basis, bases[stage])
        reasons += [Reason(Kind.EARLIER, before.value) for before in ROW[stage].after if before in reasons_by_stage]
        if not reasons and record.basis.fingerprint != bases[stage].fingerprint:
            then, now = record.basis.after, bases[stage].after  # one that has run since, or an audit that came or went
            reasons = [Reason(Kind.EARLIER, name) for name in sorted({*then, *now}) if then.get(name) != now.get(name)]
        reasons += [Reason(Kind.LOST, name) for name in lost(record)]
        if reasons:
            reasons_by_stage[stage] = reasons
    return reasons_by_stage
