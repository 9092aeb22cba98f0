"""Completion of a run that is trained but has no report: metrics, audit and report are made in the run itself."""

from typing import NoReturn

from cxr.compare.baseline import against_baseline
from cxr.compare.runs import name_with_id
from cxr.data.parts import Part
from cxr.errors import UserError
from cxr.evaluation.assessment import assess
from cxr.evaluation.results import results_of
from cxr.progress import Progress
from cxr.reevaluate.audited import add_audit, audit_again
from cxr.reevaluate.evaluate import Evaluated, evidence_of, rows_of
from cxr.run.audited import read_audit
from cxr.run.fit.stored_training import kept_context, kept_training
from cxr.run.identity.logged import Logged, Restored
from cxr.run.identity.remaining import records_of
from cxr.run.report.artifacts import Results, record_numbers, record_report
from cxr.run.report.context import beside_baseline, with_audit
from cxr.stages.table import Stage
from cxr.tracking.run import open_run
from cxr.tracking.scratch import scratch
from cxr.tracking.store import FOLDER, Store
from cxr.tracking.unfinished import TAG, claim, work_of


def complete(logged: Logged, restored: Restored, store: Store, progress: Progress) -> Evaluated:
    """Make what is missing, without Grad-CAM and figures of images; the run's own command makes those too.

    Images are read only where the run has to be audited.

    Raises:
        UserError: The run is under way, or what training left can't be read.
    """
    run, config = logged.run, restored.config
    trained, context = kept_training(run, None), kept_context(run)
    part: Part = "test" if "test" in trained.predictions else "val"
    if "val" not in trained.predictions:
        raise UserError(f"run {name_with_id(run)} has no validation predictions, which choose thresholds: cxr reproduce repeats it")
    evaluated = trained.predictions[part]
    rows = rows_of(logged, evaluated)

    def under_way() -> NoReturn:
        raise UserError(f"run {name_with_id(run)} is under way in another process: wait for it")

    has_audit = Stage.AUDIT in records_of(run, [Stage.AUDIT]) or not config.audit.images
    audited, basis = (None, None) if has_audit else audit_again(run, logged, config, progress)
    claimed = claim(run.tags[TAG], fresh=False, on_wait=under_way, work=work_of(run) if work_of(run).is_dir() else FOLDER)
    try:
        with open_run(store, config, run.name, {}, resumed=run.id) as opened, scratch() as folder:
            with progress.stage("report", "Assessing the predictions"):
                evidence = evidence_of(logged, config, trained.predictions["val"], evaluated, part, rows)
                assessment = assess(evidence, config.evaluation)
                by_part = results_of(evidence, assessment, config.evaluation)
                record_numbers(opened, by_part, assessment, trained.history, folder / "numbers")
            if audited and basis:
                add_audit(opened, audited, basis, folder / "audit")
                context = with_audit(context, audited.audit)
            elif config.audit.images:
                context = with_audit(context, read_audit(run))
            with progress.stage("log", "Writing and logging the report"):
                against = None if config.tracking.role == "baseline" else against_baseline(run.tags, evaluated, restored.provenance)
                results = Results(trained.history, evaluated, assessment, [], None, against)
                record_report(opened, beside_baseline(context, against), results, config.evaluation.figure_dpi, folder / "report")
    except BaseException:
        claimed.let_go()
        raise
    claimed.remove()
    return Evaluated(run.id, run.name, assessment)
