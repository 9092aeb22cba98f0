"""The experiments of a results table: for each its runs, one for each fold or one alone, all on the same images and split."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cxr.compare.folds import gather, is_fold, latest_complete, pool, turn_of
from cxr.compare.presets import BASELINE, preset_names, preset_of
from cxr.compare.runs import EvaluatedRun, groups_of, name_with_id, predictions_of, read_evaluated_run, why_not_comparable
from cxr.errors import UserError
from cxr.evaluation.predictions import Predictions
from cxr.text import nearest, part_in_full, pluralize
from cxr.tracking.logged_run import LoggedRun


@dataclass(frozen=True)
class Experiment:
    """The runs of one config, and the predictions by which each chose its thresholds."""

    name: str
    runs: tuple[EvaluatedRun, ...]
    validation: tuple[Predictions, ...]
    preset: str = ""  # whose runs they are; "" for a config of the user's own

    @property
    def pooled(self) -> Predictions:
        """The predictions of all runs together, in the order of the runs."""
        return pool(self.runs)

    @property
    def groups(self) -> list[str]:
        """The group of each evaluated image, run after run."""
        return [group for evaluated in self.runs for group in groups_of(evaluated)]

    @property
    def is_baseline(self) -> bool:
        """Whether others are compared with it."""
        return self.preset == BASELINE or all(evaluated.run.tags.get("cxr.role") == "baseline" for evaluated in self.runs)


@dataclass(frozen=True)
class Chosen:
    """The experiments of one table; `missing` says of each preset without one why, and `others` counts sets of runs left out."""

    experiments: list[Experiment]
    missing: Mapping[str, str] = field(default_factory=dict)
    others: int = 0

    @property
    def evaluated_text(self) -> str:
        """Which images every row is evaluated on, for a sentence."""
        first = self.experiments[0]
        count = pluralize(sum(len(evaluated.predictions.ids) for evaluated in first.runs), "image")
        if len(first.runs) > 1:
            return f"{count}, each by the network of {len(first.runs)} folds that did not train on it"
        return f"{count} of the {part_in_full(first.runs[0].part)} part"


def of_presets(runs: Sequence[LoggedRun], wanted: Sequence[str], like: LoggedRun | None = None) -> Chosen:
    """The latest finished experiment of each wanted preset, on the images and split of run `like`.

    Without one those for which there are most presets are taken, cross-validations first, then the latest.

    Raises:
        UserError: No run is one of a preset.
    """
    matches = [(run, preset) for run in runs if _counts(run) and (preset := preset_of(run)) is not None and preset in wanted]
    if not matches:
        raise UserError(
            f"no finished run is one of the presets {', '.join(wanted)} as they are today: make them with  "
            "cxr results --run DATA_OVERRIDES"
        )
    matches.sort(key=lambda match: -match[0].started)
    presets: dict[tuple[str, ...], set[str]] = {}
    for run, name in matches:
        presets.setdefault(_images_and_split(run), set()).add(name)
    key = _images_and_split(like) if like else max(presets, key=lambda images: ("folds" in images, len(presets[images])))
    if like and key not in presets:
        raise UserError(f"no finished run of a preset has the images and split of {name_with_id(like)}")
    experiments, missing = [], {}
    for name in wanted:
        own = [run for run, preset in matches if preset == name and _images_and_split(run) == key]
        latest, gap = _latest(name, own) if own else (None, "no run has finished on these images and this split")
        if latest:
            experiments.append(latest)
        else:
            missing[name] = gap
    if not experiments:
        raise UserError("; ".join(f"{name}: {gap}" for name, gap in missing.items()))
    return Chosen(experiments, missing, len(presets) - 1)


def of_runs(runs: Sequence[LoggedRun]) -> Chosen:
    """The cross-validations among the runs, and each other run alone; evaluations of runs on their own images count too.

    Raises:
        UserError: None has finished, or they are on different images or splits.
    """
    counted = [run for run in runs if _counts(run, named=True)]
    if not counted:
        raise UserError("none of these runs has finished: there is nothing to show")
    folds = [run for run in counted if is_fold(run, or_evaluation=True)]
    if len(folds) == len(counted) and len({turn_of(run) for run in folds}) == 1:
        folds = []  # one fold of each is a split like any other
    if folds and len(folds) < len(counted):
        alone = next(run for run in counted if not is_fold(run, or_evaluation=True))
        raise UserError(
            f"{name_with_id(alone)} is no fold and {name_with_id(folds[0])} is one: they were evaluated on different images"
        )
    first = counted[0]
    for run in counted[1:]:
        if _images_and_split(run) != _images_and_split(first):
            reason = why_not_comparable(first.tags, run.tags) or "their folds differ"
            raise UserError(f"{name_with_id(run)} can't be in one table with {name_with_id(first)}: {reason}")
    if folds:
        made = [_experiment(validation.name, validation.runs) for validation in reversed(gather(folds, with_evaluations=True))]
    else:
        made = [_experiment(run.name, (read_evaluated_run(run),)) for run in counted]
    return Chosen(_named_apart(made))


def reference_of(experiments: Sequence[Experiment]) -> Experiment:
    """The baseline that others are compared with, or the first."""
    return next((experiment for experiment in experiments if experiment.is_baseline), experiments[0])


def known_presets(request: str | None) -> list[str]:
    """The presets of a request, names with commas between them, in the order of a table; all of them without a request.

    Raises:
        UserError: A name is no preset.
    """
    known = preset_names()
    if request is None:
        return known
    names = [name.strip() for name in request.split(",") if name.strip()]
    if unknown := [name for name in names if name not in known]:
        raise UserError(f"there is no preset {unknown[0]}: {nearest(unknown[0], known)}")
    return [name for name in known if name in names]


def _counts(run: LoggedRun, named: bool = False) -> bool:
    wanted = named or run.tags.get("cxr.role") != "evaluation"
    return run.is_finished and wanted and run.tags.get("cxr.judged_on") in ("val", "test")


def _images_and_split(run: LoggedRun) -> tuple[str, ...]:
    """What runs of one table have in common. Folds of one cross-validation differ in their split, and have one recipe of it."""
    tags = run.tags.get("cxr.data_fingerprint", ""), run.tags.get("cxr.split_fingerprint", ""), run.tags.get("cxr.judged_on", "")
    if run.params.get("split.method") == "folds":
        recipe = (run.params.get(f"split.{name}", "") for name in ("folds", "seed", "validation"))
        return tags[0], "folds", *recipe
    return tags


def _latest(name: str, runs: list[LoggedRun]) -> tuple[Experiment | None, str]:
    if runs[0].params.get("split.method") == "folds":
        validation, gap = latest_complete(runs)
        return (_experiment(name, validation.runs, name), "") if validation else (None, gap)
    return _experiment(name, (read_evaluated_run(max(runs, key=lambda run: run.started)),), name), ""


def _experiment(name: str, runs: tuple[EvaluatedRun, ...], preset: str = "") -> Experiment:
    return Experiment(name, runs, tuple(predictions_of(evaluated.run)["val"] for evaluated in runs), preset)


def _named_apart(experiments: list[Experiment]) -> list[Experiment]:
    """With the beginning of a run's id where two have one name."""
    names = Counter(experiment.name for experiment in experiments)
    ids = [f" {experiment.runs[0].run.short_id}" if names[experiment.name] > 1 else "" for experiment in experiments]
    return [replace(experiment, name=experiment.name + run_id) for experiment, run_id in zip(experiments, ids, strict=True)]
