"""`cxr evaluate RUN`: its logged predictions with other targets or costs, or its saved model on other data; a report of its own."""

import argparse
import os
from typing import TYPE_CHECKING

from cxr.errors import Mistake
from cxr.memory import prepare_memory
from cxr.reevaluation.settings import asked_of, check_overrides
from cxr.words import in_words

if TYPE_CHECKING:
    from cxr.reevaluation.evaluate import Evaluated


def main(arguments: list[str]) -> None:
    """Evaluate, log, and print what came of it."""
    asked = _parser().parse_intermixed_args(arguments)
    check_overrides(asked.overrides)
    prepare_memory()
    _print(_evaluate(asked.run, asked.overrides))


def _evaluate(reference: str, overrides: list[str]) -> "Evaluated":
    from cxr.comparison.runs import in_short
    from cxr.progress import Progress
    from cxr.reevaluation.evaluate import evaluate_again, evaluate_elsewhere, judged_classes, read_document
    from cxr.reproduction.logged import read_logged, restore
    from cxr.reproduction.verdict import check_finished
    from cxr.tracking.search import find_run
    from cxr.tracking.store import check_store, open_store, store_with_runs
    from cxr.tracking.unfinished import close_cut_off_runs

    store = store_with_runs()
    check_store(store)
    open_store(store)
    close_cut_off_runs(store)
    run = find_run(reference, store)
    if run.tags.get("cxr.role") == "evaluation":
        raise Mistake(f"{in_short(run)} is an evaluation itself: evaluate the run behind it, {run.tags['cxr.evaluates'][:8]}")
    logged, progress = read_logged(run), Progress()
    if run.holds_training and not run.is_finished:
        if overrides:
            raise Mistake(f"the report of {in_short(run)} is missing: make it first with cxr evaluate {run.short_id}")
        from cxr.reevaluation.complete import complete

        return complete(logged, restore(logged, []), store, progress)
    check_finished(run)
    wanted = asked_of(restore(logged, []).config, overrides)
    read_document(run)  # says so where there is none, before anything is scored
    if not wanted.other_data:
        return evaluate_again(logged, wanted.config, overrides, store, progress)
    from cxr.reevaluation.other_data import score

    scored = score(logged, judged_classes(run), wanted.config, run.file("model/model.keras"), progress)
    seen = scored.overlap
    same = in_words(seen.same_pixels, "image")
    print(f"  Overlap with the run's own data: {same} with the same pixels, {seen.look_alike:,} more that look alike;")
    print("  they judge nothing. Whether patients are the same is not known.")
    return evaluate_elsewhere(logged, wanted.config, overrides, scored, store, progress)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cxr evaluate",
        description="Evaluate a logged run again: its own predictions with other targets or costs (evaluation.SETTING=VALUE), or "
        "its saved model on other data (data=folder data.root=FOLDER), which is checked first for images that the run has seen.",
        epilog="The result is a run of its own in the store, with the whole report. Thresholds and temperature are always chosen "
        "on the validation images of RUN.",
    )
    parser.add_argument("run", metavar="RUN", help="id, beginning of an id, or name")
    parser.add_argument("overrides", nargs="*", metavar="SETTING=VALUE", help="evaluation.sensitivity=0.98, data=folder, ...")
    return parser


def _print(made: "Evaluated") -> None:
    from cxr.summary import print_assessment
    from cxr.tracking.search import runs_by_id

    print_assessment(made.name, made.assessment)
    report = runs_by_id([made.run_id])[made.run_id].file("report.html")
    print(f"  Run {made.run_id} is logged; its report: {report}")
    print(f"  See it beside others with  {os.environ.get('CXR_COMMAND', 'cxr')} ui")
