"""`cxr evaluate RUN`: evaluate logged predictions with other targets or costs, or the saved model on other data."""

from cxr.commands.arguments import parse
from cxr.compare.runs import name_with_id
from cxr.errors import UserError
from cxr.evaluation.report.files import DOCUMENT
from cxr.evaluation.unknown_classes import describe_unshared
from cxr.progress import Progress
from cxr.reevaluate.complete import complete
from cxr.reevaluate.evaluate import Evaluated, evaluate_again, evaluate_other_data, model_classes, read_document
from cxr.reevaluate.other_data import read_other_data
from cxr.reevaluate.settings import check_overrides, request_of
from cxr.reproduce.agreement import check_finished
from cxr.run.identity.logged import read_logged, restore
from cxr.run.report.summary import print_assessment, report_of
from cxr.text import as_called, pluralize
from cxr.tracking.search import find_run
from cxr.tracking.unfinished import settled_store


def main(arguments: list[str]) -> None:
    """Evaluate, log, and print the numbers."""
    args = parse("evaluate", arguments)
    check_overrides(args.overrides)
    made = _evaluate(args.run, args.overrides)
    print_assessment(made.name, made.assessment)
    print(f"  Run {made.run_id} is logged; its report: {report_of(made.run_id)}")
    print(as_called("  See it beside others with  cxr ui"))


def _evaluate(reference: str, overrides: list[str]) -> Evaluated:
    store = settled_store(writing=True)
    run = find_run(reference, store)
    if run.tags.get("cxr.role") == "evaluation":
        raise UserError(f"{name_with_id(run)} is an evaluation itself: evaluate the run behind it, {run.tags['cxr.evaluates'][:8]}")
    logged, progress = read_logged(run), Progress()
    if run.holds_training and not (run.is_finished and run.has_file(DOCUMENT)):
        if overrides:
            raise UserError(f"the report of {name_with_id(run)} is missing: make it first with cxr evaluate {run.short_id}")
        return complete(logged, restore(logged, []), store, progress)
    check_finished(run)
    own = restore(logged, []).config
    config, is_other_data = request_of(own, overrides)
    read_document(run)  # raises before anything is scored
    other_views = config.evaluation.views != own.evaluation.views
    if not is_other_data:
        return evaluate_again(logged, config, overrides, store, progress, other_views)
    if other_views:
        raise UserError(
            f"{name_with_id(run)} chose its thresholds with evaluation.views={own.evaluation.views}: other data needs as many views"
        )
    classes = model_classes(run)
    data = read_other_data(logged, classes, config, progress)
    same, alike = pluralize(data.overlap.same_pixels, "image"), data.overlap.look_alike
    print(f"  Overlap with the run's own data: {same} with the same pixels, {alike:,} more that look alike;")
    print("  they are left out. Whether patients are the same is not known.")
    for line in describe_unshared(*data.by_class(classes)):
        print(f"  {line}")
    return evaluate_other_data(logged, config, overrides, data, store, progress)
