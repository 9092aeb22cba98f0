"""`cxr folds`: summarise a cross-validation, or trainings with several seeds: mean, spread, intervals. Loads no TensorFlow."""

from collections.abc import Sequence

import pandas as pd
from rich import box
from rich.table import Table

from cxr.commands.arguments import parse
from cxr.commands.output import check_folder
from cxr.commands.seed_tables import print_spread
from cxr.compare.folds import CrossValidation, gather, is_fold, like, spread
from cxr.compare.runs import describe_evaluated_part, read_evaluated_run
from cxr.compare.seeds import Repeated, by_experiment, groups_of_images, identity, in_one_order, seed_spread
from cxr.compare.thresholds import SPECIFICITIES, positive_index, rates_at, validation_of
from cxr.data.safe_csv import write_csv
from cxr.errors import UserError
from cxr.evaluation.metric_table import names_at
from cxr.progress import wide_console
from cxr.text import pluralize
from cxr.tracking.search import FINISHED, LoggedRun, filtered_runs, find_run, of_sweep
from cxr.tracking.store import open_store, store_with_runs
from cxr.tracking.unfinished import close_cut_off_runs


def main(arguments: list[str]) -> None:
    """Print one cross-validation or repeated training, or each of a sweep, and write the requested files."""
    asked = parse("folds", arguments)
    for file in (asked.predictions, asked.csv):
        if file:
            check_folder(file)
    store = store_with_runs()
    open_store(store)
    close_cut_off_runs(store)
    wanted = f"{of_sweep(asked.sweep)} and {FINISHED}" if asked.sweep else FINISHED
    runs = [run for run in filtered_runs(wanted) if run.is_finished]
    chosen = [find_run(asked.run, store)] if asked.run else runs
    folds, repeated = _found(chosen, runs, each=bool(asked.sweep))
    tables = [_print(each) for each in folds]
    tables += [_print_seeds_of_folds(each) for each in _with_seeds(folds, runs)]
    tables += [_print_seeds(each) for each in repeated]
    if asked.predictions:
        if not folds:
            raise UserError("--predictions writes the pooled predictions of folds, and these runs are no folds")
        folds[0].pooled.to_csv(asked.predictions)
        print(f"  Predictions of each image by the network that did not train on it: {asked.predictions}")
    if asked.csv:
        write_csv(pd.concat(tables).rename_axis("metric").reset_index(), asked.csv)
        print(f"  Every number: {asked.csv}")


def _found(chosen: Sequence[LoggedRun], runs: list[LoggedRun], each: bool) -> tuple[list[CrossValidation], list[Repeated]]:
    """What the chosen runs belong to: of the latest one that belongs to something, or of each."""
    experiments = {identity(group[0]): group for group in by_experiment(runs) if len(group) > 1}
    if each:
        folds = gather(runs) if any(is_fold(run) for run in runs) else []
        found = folds, [_repeated(group) for group in experiments.values() if not is_fold(group[0])]
        if any(found):
            return found
    for run in () if each else chosen:
        if is_fold(run):
            return gather(like(run, runs))[:1], []
        if identity(run) in experiments:
            return [], [_repeated(experiments[identity(run)])]
    raise UserError(
        "no finished run here is a fold, or was trained again with another seed: make them with  "
        "cxr -m split=kfold split.fold=0,1,2,3,4  or  cxr -m training.seed=0,1,2,3,4"
    )


def _repeated(group: list[LoggedRun]) -> Repeated:
    return Repeated(tuple(read_evaluated_run(run) for run in group))


def _with_seeds(folds: list[CrossValidation], runs: list[LoggedRun]) -> list[list[CrossValidation]]:
    """For each experiment among the cross-validations, its complete ones by seed, where there are several."""
    found = []
    for key in dict.fromkeys(identity(each.runs[0].run) for each in folds):
        of_experiment = [run for run in runs if is_fold(run)]
        same = [each for each in gather(of_experiment) if identity(each.runs[0].run) == key]
        if len(same) > 1:
            found.append(same)
    return found


def _print(found: CrossValidation) -> pd.DataFrame:
    numbers, console = spread(found), wide_console()
    images = pluralize(len(found.pooled.ids), "image")
    table = Table(title=f"{found.name}: {pluralize(len(found.runs), 'run')}, {images}", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for heading in ("mean", "sd", "lowest", "highest", "pooled"):
        table.add_column(heading, justify="right")
    for name in names_at("folds", found.runs[0].predictions.classes):
        if name in numbers.index:
            row = numbers.loc[name]
            few = f" (in {row['folds']:.0f} of {len(found.runs)})" if row["folds"] < len(found.runs) else ""
            cells = [f"{row[heading]:.3f}" for heading in ("mean", "sd", "lowest", "highest", "pooled")]
            table.add_row(f"{name}{few}", *cells)
    console.print(table)
    for line in _at_thresholds(found):
        console.print(f"  {line}", soft_wrap=True)
    said = ", ".join(f"{turn} {evaluated.run.short_id}" for turn, evaluated in zip(found.turns, found.runs, strict=True))
    console.print(f"  Tested by {said}", soft_wrap=True)
    console.print("  The runs share training images, so their spread is no standard error of the mean.")
    return numbers.assign(name=found.name)


def _at_thresholds(found: CrossValidation) -> list[str]:
    """The positive class at thresholds that each fold chose on its own validation images; nothing for runs without any."""
    index = positive_index(found.runs[0])
    if index is None or not all(evaluated.run.has_file("predictions/val.csv") for evaluated in found.runs):
        return []
    validation = [validation_of(evaluated.run) for evaluated in found.runs]
    if any((each.labels == index).all() for each in validation):
        return []
    lines = []
    for specificity in SPECIFICITIES:
        rates = rates_at(found.runs, validation, index, specificity)
        lines.append(
            f"Pooled, at thresholds for specificity {specificity:g} that each chose on its own validation images: "
            f"{found.runs[0].predictions.classes[index]} sensitivity {rates.sensitivity.text} "
            f"at specificity {rates.specificity.text}"
        )
    return lines


def _print_seeds(found: Repeated) -> pd.DataFrame:
    """Runs on one split that differ in their seed."""
    first = found.runs[0]
    table = seed_spread(found.predictions, groups_of_images(first))
    title = f"{first.run.name} and the same with other seeds ({', '.join(found.seeds)}), {describe_evaluated_part(first)}"
    print_spread(wide_console(), title, table)
    return table.assign(name=first.run.name)


def _print_seeds_of_folds(found: list[CrossValidation]) -> pd.DataFrame:
    """Cross-validations that differ in their seed, by their pooled predictions."""
    pooled = in_one_order([each.pooled for each in found])
    by_id = {
        name: group
        for evaluated in found[0].runs
        for name, group in zip(evaluated.predictions.ids, groups_of_images(evaluated), strict=True)
    }
    table = seed_spread(pooled, [by_id[name] for name in pooled[0].ids])
    title = f"{found[0].name}: {len(found)} seeds, pooled predictions of {pluralize(len(pooled[0].ids), 'image')}"
    print_spread(wide_console(), title, table)
    return table.assign(name=f"{found[0].name}, seeds")
