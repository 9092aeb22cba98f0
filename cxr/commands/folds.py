"""`cxr folds`: summarise a cross-validation, or trainings with several seeds: mean, spread, intervals. Loads no TensorFlow."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from cxr.commands.arguments import parse
from cxr.commands.output import check_files, print_table
from cxr.compare.folds import CrossValidation, gather, is_fold, like, spread
from cxr.compare.runs import (
    SPECIFICITIES,
    EvaluatedRun,
    called_positive,
    describe_evaluated_part,
    groups_of,
    positive_index,
    predictions_of,
    read_evaluated_run,
)
from cxr.compare.seeds import INTERVALS, SEED, by_experiment, identity, seed_spread
from cxr.data.safe_csv import write_csv
from cxr.errors import UserError
from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.metric_table import names_at
from cxr.evaluation.operating_points import rates
from cxr.progress import wide_console
from cxr.text import pluralize
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import FINISHED, filtered_runs, find_run, of_sweep
from cxr.tracking.unfinished import settled_store

_COLUMNS = ("mean", "sd", "lowest", "highest", "pooled")
_INTERVALS = f"  {PERCENT} intervals of the mean: from seeds (Student's t over trainings), from images (bootstrap), from both."
_SD = "  One more training with another seed differs from the mean by about sd."


def main(arguments: list[str]) -> None:
    """Print one cross-validation or repeated training, or each of a sweep, and write the requested files.

    Raises:
        UserError: No run is a fold or was repeated.
    """
    args = parse("folds", arguments)
    check_files(args.predictions, args.csv)
    store = settled_store()
    wanted = f"{of_sweep(args.sweep)} and {FINISHED}" if args.sweep else FINISHED
    runs = [run for run in filtered_runs(wanted) if run.is_finished]
    chosen = runs if args.sweep or not args.run else [find_run(args.run, store)]
    validations, repeated = _all_of(runs) if args.sweep else _latest_of(chosen, runs)
    if not (validations or repeated):
        raise UserError(
            "no finished run here is a fold, or was trained again with another seed: make them with  "
            "cxr -m split=kfold split.fold=0,1,2,3,4  or  cxr -m training.seed=0,1,2,3,4"
        )
    tables = [_print(validation) for validation in validations]
    tables += [_print_seeds_of_folds(same) for same in _with_seeds(validations, runs)]
    tables += [_print_seeds([read_evaluated_run(run) for run in group]) for group in repeated]
    if args.predictions:
        if not validations:
            raise UserError("--predictions writes the pooled predictions of folds, and these runs are no folds")
        validations[0].pooled.to_csv(args.predictions)
        print(f"  Predictions of each image by the network that did not train on it: {args.predictions}")
    if args.csv:
        write_csv(pd.concat(tables).rename_axis("metric").reset_index(), args.csv)
        print(f"  Every number: {args.csv}")


def _all_of(runs: Sequence[LoggedRun]) -> tuple[list[CrossValidation], list[list[LoggedRun]]]:
    """Every cross-validation and repeated training among runs."""
    validations = gather(runs) if any(is_fold(run) for run in runs) else []
    return validations, [group for group in _repeated(runs).values() if not is_fold(group[0])]


def _latest_of(chosen: Sequence[LoggedRun], runs: Sequence[LoggedRun]) -> tuple[list[CrossValidation], list[list[LoggedRun]]]:
    """The cross-validation or repeated training of the first chosen run that belongs to one."""
    repeated = _repeated(runs)
    for run in chosen:
        if is_fold(run):
            return gather(like(run, runs))[:1], []
        if identity(run) in repeated:
            return [], [repeated[identity(run)]]
    return [], []


def _repeated(runs: Sequence[LoggedRun]) -> dict[tuple[object, ...], list[LoggedRun]]:
    return {identity(group[0]): group for group in by_experiment(runs) if len(group) > 1}


def _with_seeds(validations: list[CrossValidation], runs: list[LoggedRun]) -> list[list[CrossValidation]]:
    """For each experiment among the cross-validations, its complete ones by seed, where there are several."""
    by_identity: dict[tuple[object, ...], list[CrossValidation]] = {}
    for validation in gather([run for run in runs if is_fold(run)]) if validations else []:
        by_identity.setdefault(identity(validation.runs[0].run), []).append(validation)
    chosen = dict.fromkeys(identity(validation.runs[0].run) for validation in validations)
    return [by_identity[key] for key in chosen if len(by_identity[key]) > 1]


def _print(validation: CrossValidation) -> pd.DataFrame:
    numbers, console, count = spread(validation), wide_console(), len(validation.runs)
    images = pluralize(len(validation.pooled.ids), "image")
    rows = []
    for name in names_at("folds", validation.runs[0].predictions.classes):
        if name in numbers.index:
            row = numbers.loc[name]
            few = f" (in {row['folds']:.0f} of {count})" if row["folds"] < count else ""
            rows.append((f"{name}{few}", *(f"{row[heading]:.3f}" for heading in _COLUMNS)))
    print_table(["", *_COLUMNS], rows, f"{validation.name}: {pluralize(count, 'run')}, {images}")
    for line in _at_thresholds(validation.runs):
        console.print(f"  {line}", soft_wrap=True)
    tested = zip(validation.turns, validation.runs, strict=True)
    console.print(f"  Tested by {', '.join(f'{turn} {evaluated.run.short_id}' for turn, evaluated in tested)}", soft_wrap=True)
    console.print("  The runs share training images, so their spread is no standard error of the mean.")
    return numbers.assign(name=validation.name)


def _at_thresholds(runs: Sequence[EvaluatedRun]) -> list[str]:
    """The positive class at thresholds that each fold chose on its own validation images; nothing for runs without any."""
    index = positive_index(runs[0])
    if index is None or not all(evaluated.run.has_file("predictions/val.csv") for evaluated in runs):
        return []
    validation = [predictions_of(evaluated.run)["val"] for evaluated in runs]
    if any((part.labels == index).all() for part in validation):
        return []
    is_positive = np.concatenate([evaluated.predictions.labels == index for evaluated in runs])
    groups = [group for evaluated in runs for group in groups_of(evaluated)]
    lines = []
    for specificity in SPECIFICITIES:
        of_all = rates(called_positive(runs, validation, index, specificity), is_positive, groups)
        lines.append(
            f"Pooled, at thresholds for specificity {specificity:g} that each chose on its own validation images: "
            f"{runs[0].predictions.classes[index]} sensitivity {of_all.sensitivity.text} at specificity {of_all.specificity.text}"
        )
    return lines


def _print_seeds(runs: list[EvaluatedRun]) -> pd.DataFrame:
    """Runs on one split that differ in their seed."""
    table = seed_spread([evaluated.predictions for evaluated in runs], groups_of(runs[0]))
    seeds = ", ".join(evaluated.run.params[SEED] for evaluated in runs)
    title = f"{runs[0].run.name} and the same with other seeds ({seeds}), {describe_evaluated_part(runs[0])}"
    print_spread(title, table)
    return table.assign(name=runs[0].run.name)


def _print_seeds_of_folds(validations: list[CrossValidation]) -> pd.DataFrame:
    """Cross-validations that differ in their seed, by their pooled predictions."""
    first, pooled = validations[0], [validation.pooled for validation in validations]
    by_id = {
        name: group for evaluated in first.runs for name, group in zip(evaluated.predictions.ids, groups_of(evaluated), strict=True)
    }
    table = seed_spread(pooled, [by_id[name] for name in pooled[0].ids])
    title = f"{first.name}: {len(validations)} seeds, pooled predictions of {pluralize(len(pooled[0].ids), 'image')}"
    print_spread(title, table)
    return table.assign(name=f"{first.name}, seeds")


def print_spread(title: str, table: pd.DataFrame) -> None:
    """Print metrics over seeds (mean, sd, range), or differences of means, with the three intervals.

    Args:
        table: one of `seed_spread` or `seed_difference`.
    """
    of_difference = "reference" in table
    columns = ("reference", "other", "mean") if of_difference else ("mean", "sd", "lowest", "highest")
    headings = ["difference" if of_difference and column == "mean" else column for column in columns]
    sign, rows = "+" if of_difference else "", []
    for name, row in table.iterrows():
        values = [f"{row[column]:{sign if column == 'mean' else ''}.3f}" for column in columns]
        rows.append(
            (str(name), *values, *(f"{row[f'{kind}_low']:{sign}.3f} to {row[f'{kind}_high']:{sign}.3f}" for kind in INTERVALS))
        )
    print_table(["", *headings, *INTERVALS.values()], rows, title)
    wide_console().print(_INTERVALS if of_difference else f"{_INTERVALS}\n{_SD}")
