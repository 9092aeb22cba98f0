"""Sentences on what of a run has to be made, and why."""

from collections.abc import Sequence

import pandas as pd

from cxr.data.manifest import changes, read_manifest
from cxr.errors import UserError
from cxr.run.identity.remaining import Remaining
from cxr.stages.record import Kind, Reason
from cxr.stages.table import Stage
from cxr.tracking.logged_run import LoggedRun

_MOST = 3  # differences that are named; a run that differs in more is another experiment
_TEXTS = {
    Kind.FORCED: "force=true",
    Kind.NEW: "no earlier run is like it",
    Kind.OLDER: "an earlier version of cxr made {run}, which kept no record: cxr cannot tell whether it would be the same",
    Kind.MISSING: "not made in {run} yet",
    Kind.LOST: "{name} of {run} is gone or was changed",
    Kind.SETTING: "{name} was {then} in {run}, and is {now}",
    Kind.FILE: "the {name} of {run} had another content",
    Kind.CODE: "the code of {name} changed since {run}",
    Kind.LIBRARY: "{name} was {then} for {run}, and is {now}",
    Kind.EARLIER: "the {name} of {run} changed since",
    Kind.COPIED: "the training of {run} is copied into a new run, as that one stays what it is",
}


def reasons_of(left: Remaining, manifest: pd.DataFrame) -> list[str]:
    """Why these stages run, a line each reason, the earliest stage that has one first; a stage that only follows has none.

    Args:
        manifest: that of today's images.
    """
    run = left.run or left.source or left.like
    shown = [Stage.TRAIN] if Stage.TRAIN in left.stages else [stage for stage in Stage if stage in left.stages]
    shown = [stage for stage in shown if stage != Stage.DECODE or len(shown) == 1]
    made = {stage.value for stage in left.stages}
    reasons = {
        stage: [reason for reason in left.stages[stage] if reason.kind != Kind.EARLIER or reason.name not in made]
        for stage in shown
    }
    return list(dict.fromkeys(line for stage in shown for line in _lines(stage, reasons[stage], run, manifest)))


def is_worth_saying(left: Remaining) -> bool:
    """Whether the reasons say more than that a job is new."""
    return bool(left.stages) and {reason.kind for reasons in left.stages.values() for reason in reasons} != {Kind.NEW}


def stages_of(left: Remaining) -> str:
    """The stages that run, as one phrase: "all" where the training is new."""
    if Stage.TRAIN in left.stages:
        return "all"
    return ", ".join(stage.value for stage in Stage if stage in left.stages and stage != Stage.DECODE) or "the logged inputs"


def _lines(stage: Stage, reasons: Sequence[Reason], run: LoggedRun | None, manifest: pd.DataFrame) -> list[str]:
    own = [reason for reason in reasons if reason.kind != Kind.COLUMN]
    columns = [reason.name for reason in reasons if reason.kind == Kind.COLUMN]
    named = f"run {run.name} ({run.short_id})" if run else ""
    if len(own) > _MOST and stage == Stage.TRAIN:
        return [f"no earlier run is like it; the nearest, {named}, differs in {len(own)} things, {own[0].name} among them"]
    lines = [
        ("" if reason.kind == Kind.COPIED else f"{stage}: ")  # which is a reason for all stages
        + _TEXTS[reason.kind].format(name=reason.name, run=named, then=reason.then or "empty", now=reason.now or "empty")
        for reason in own
    ]
    if stage == Stage.TRAIN and columns:  # with the columns that made it: a group moves images to another part
        columns = [name for name in manifest.columns if name not in ("path", "phash", "mode", "width", "height")]
    if columns and run:
        lines.append(f"{stage}: images differ from those of {named}: {_in_rows(run, manifest, columns)}")
    return lines


def _in_rows(run: LoggedRun, manifest: pd.DataFrame, columns: Sequence[str]) -> str:
    try:
        return changes(read_manifest(run.file("data/manifest.csv")), manifest, columns) or f"another {', '.join(columns)}"
    except (OSError, ValueError, UserError):
        return f"another {', '.join(columns)}"
