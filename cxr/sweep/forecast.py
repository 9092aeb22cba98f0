"""What a sweep would do, and how long it would take by earlier runs; nothing is started."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from cxr.config.fields import flat_params
from cxr.run.identity.attempt import folder_name
from cxr.run.identity.remaining import Remaining, remaining
from cxr.run.prepared import PreparedRun
from cxr.stages.basis import settings_of
from cxr.stages.record import Kind, Reason
from cxr.stages.table import Stage
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import FINISHED, filtered_runs
from cxr.tracking.store import work_folder
from cxr.tracking.unfinished import can_resume, earlier_run

Frozen = Literal["cached", "computed once, with job", "computed"]

# Stages whose settings make the time of a run, most alike first: the time of a job is that of runs that agree in those of a line.
_ALIKE = ((Stage.NETWORK, Stage.VIEWS, Stage.AUDIT), (Stage.NETWORK, Stage.VIEWS), (Stage.NETWORK,))
_DEPTH = "freeze.trainable_from"
_TIMES = {Stage.TRAIN: "train", Stage.PREDICT: "evaluate", Stage.AUDIT: "audit"}  # the name of a stage's time in a run
_OF_IMAGES = ("draw", "index", "decode", "frozen")  # stages whose time is in line with the images
_TRAININGS = ("candidate", "baseline")


@dataclass(frozen=True)
class Forecast:
    """One job of a plan."""

    name: str
    left: Remaining
    resumes: bool  # from a trained epoch
    frozen: Frozen
    with_job: int | None  # the earlier job, from 0, that computes the same frozen part
    seconds: float | None  # None without an earlier run like it
    based_on: int  # number of earlier runs that `seconds` is the median of
    bytes: float | None  # that the run adds to a store on this disk


def forecast(names: Sequence[str], prepared_jobs: Sequence[PreparedRun], has_store: bool) -> list[Forecast]:
    """Forecast every job, in order. The store has to be open, unless it does not exist yet."""
    earlier = (
        [run for run in filtered_runs(FINISHED) if run.is_finished and run.tags.get("cxr.role") in _TRAININGS] if has_store else []
    )
    known = {_frozen_key(run.tags, run.params) for run in earlier}
    first: dict[tuple[object, ...], int] = {}
    forecasts = []
    for number, (name, prepared) in enumerate(zip(names, prepared_jobs, strict=True)):
        tags, params = _tags_of(prepared), flat_params(prepared.config)
        key, left = _frozen_key(tags, params), Remaining({Stage.TRAIN: [Reason(Kind.NEW)]})
        attempt = folder_name(prepared), work_folder(prepared.config.work)
        if has_store:
            left = remaining(prepared, None if prepared.config.force else earlier_run(*attempt))
        frozen: Frozen = "cached" if key in known else "computed once, with job" if key in first else "computed"
        alike = _alike(params, earlier)
        skipped = {_TIMES[stage] for stage in _TIMES if stage not in left.stages} | ({"frozen"} if frozen != "computed" else set())
        seconds = median([_seconds(run, prepared, skipped) for run in alike]) if alike else None
        sizes = [size for run in alike if (size := run.bytes_on_disk) is not None]
        done, resumes = left.is_nothing, not prepared.config.force and can_resume(*attempt)
        seconds, added = (0.0, 0.0) if done else (seconds, median(sizes) if sizes else None)
        forecasts.append(Forecast(name, left, resumes, frozen, first.get(key), seconds, len(alike), added))
        if not done:
            first.setdefault(key, number)
    return forecasts


def _tags_of(prepared: PreparedRun) -> dict[str, str]:
    evaluated = prepared.dataset.manifest["split"] == prepared.dataset.parts[-1]
    return {
        "cxr.data_fingerprint": prepared.fingerprints["cxr.data_fingerprint"],
        "cxr.weights_sha256": prepared.weights.sha256 or "",
        "cxr.evaluated_images": str(int(evaluated.sum())),
    }


def _frozen_key(tags: Mapping[str, str], params: Mapping[str, str]) -> tuple[object, ...]:
    """Jobs with equal keys need the same activations."""
    settings = settings_of(params, Stage.NETWORK, Stage.VIEWS, Stage.FROZEN) | {_DEPTH: params.get(_DEPTH, "")}
    return tags.get("cxr.data_fingerprint"), tags.get("cxr.weights_sha256", ""), *sorted(settings.items())


def _alike(params: Mapping[str, str], earlier: Sequence[LoggedRun]) -> list[LoggedRun]:
    """The earlier runs that are most alike in what takes time."""
    for stages in _ALIKE:
        own = settings_of(params, *stages) | {_DEPTH: params[_DEPTH]}
        if alike := [run for run in earlier if all(run.params.get(key, value) == value for key, value in own.items())]:
            return alike
    return [run for run in earlier if run.params.get("backbone.name") == params["backbone.name"]]


def _seconds(run: LoggedRun, prepared: PreparedRun, skipped: Collection[str]) -> float:
    """Seconds that a run like this would take, without times of some names.

    Its training grows with images and epochs, its pass over the images with images.

    The time before the first update is taken to grow too, so a forecast from much smaller runs is too long.
    """
    evaluated = float(run.tags.get("cxr.evaluated_images") or 0)
    images = float(_tags_of(prepared)["cxr.evaluated_images"]) / evaluated if evaluated else 1.0
    epochs = prepared.config.training.epochs / max(1.0, float(run.params.get("training.epochs", 1)))
    factors = {"train": images * epochs} | dict.fromkeys(_OF_IMAGES, images)
    return sum(value * factors.get(name, 1.0) for name, value in run.seconds.items() if name not in skipped)


def total_seconds(jobs: Sequence[Forecast], at_once: int) -> float | None:
    """Seconds of all jobs, of which `at_once` run side by side; None where one of them has no forecast.

    >>> job, unknown = (Forecast("a", Remaining({}), False, "cached", None, seconds, 2, None) for seconds in (30.0, None))
    >>> total_seconds([job, job, job], 2), total_seconds([job, unknown], 2)
    (60.0, None)
    """
    ends = [0.0] * max(1, at_once)
    for job in jobs:
        if job.seconds is None:
            return None
        ends[ends.index(min(ends))] += job.seconds
    return max(ends)
