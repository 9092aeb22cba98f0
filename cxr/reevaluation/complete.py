"""A run that was trained and whose report is missing: its metrics and report, made in the run itself from what training left."""

from typing import NoReturn

from cxr.comparison.baseline import against_baseline
from cxr.comparison.runs import in_short
from cxr.data.split import Part
from cxr.errors import Mistake
from cxr.evaluation.assessment import Evidence, assess, subgroup_columns
from cxr.evaluation.judgement import judgements_of
from cxr.facts import beside_baseline
from cxr.progress import Progress
from cxr.record import Results, record_numbers, record_report
from cxr.reevaluation.evaluate import Evaluated, rows_of
from cxr.reproduction.logged import Logged, Restored
from cxr.tracking.run import open_run
from cxr.tracking.scratch import scratch
from cxr.tracking.store import Store
from cxr.tracking.unfinished import TAG, claim
from cxr.trained import kept_facts, kept_training


def complete(logged: Logged, restored: Restored, store: Store, progress: Progress) -> Evaluated:
    """Make what is missing, without the images, so without films and heat maps; the run's own command makes those too.

    Raises `Mistake` where the run is under way, or what training left can't be read.
    """
    run, config = logged.run, restored.config
    trained, facts = kept_training(run, None), kept_facts(run)
    part: Part = "test" if "test" in trained.predictions else "val"
    if "val" not in trained.predictions:
        raise Mistake(f"run {in_short(run)} has no validation predictions, which choose thresholds: cxr reproduce makes it anew")
    judged = trained.predictions[part]
    rows = rows_of(logged, judged)

    def under_way() -> NoReturn:
        raise Mistake(f"run {in_short(run)} is under way in another process: wait for it")

    claimed = claim(run.tags[TAG], anew=False, on_wait=under_way)
    try:
        with open_run(store, config, run.name, {}, go_on=run.id) as opened, scratch() as folder:
            with progress.stage("report", "Assessing the predictions"):
                evidence = Evidence(trained.predictions["val"], judged, part, list(rows["group"]), rows[subgroup_columns(config)])
                found = assess(evidence, config.evaluation)
                judgements = judgements_of(evidence, found, config.evaluation.specificity)
                record_numbers(opened, judgements, found, trained.history, folder / "numbers")
            with progress.stage("log", "Writing and logging the report"):
                against = None if config.tracking.role == "baseline" else against_baseline(run.tags, judged, restored.recipe)
                results = Results(trained.history, judged, found, [], None, against)
                record_report(opened, beside_baseline(facts, against), results, config.evaluation.figure_dpi, folder / "report")
    except BaseException:
        claimed.let_go()
        raise
    claimed.remove()
    return Evaluated(run.id, run.name, found)
