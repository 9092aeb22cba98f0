"""The story of one run: train, predict, evaluate, explain, report, and store each result before the next step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from cxr.audit.audit import audit
from cxr.audit.other_surroundings import auc_on_other_surroundings
from cxr.cache.rows import RowsLost
from cxr.errors import RunFailed, UserError
from cxr.evaluation.metrics import WITHOUT_SHORTCUT
from cxr.progress import Progress
from cxr.run.artifacts import Results, record_inputs, record_numbers
from cxr.run.assess import assess_run
from cxr.run.attempt import RunResult, unreported_twin, wants_report
from cxr.run.audited import Audited, audit_metrics, audit_tags, flips_figure, subject_of, validation_subject, write_audit
from cxr.run.drawing_ahead import DrawingAhead
from cxr.run.explain import explain
from cxr.run.predict import predict
from cxr.run.prepared import PreparedRun, read_again
from cxr.run.report_context import context_of, with_audit
from cxr.run.reporting import Reports, Unreported, close_account, make_report
from cxr.run.stored_training import Trained, keep_training, kept_training
from cxr.run.summary import print_summary
from cxr.run.tags import run_name, run_tags
from cxr.run.train import train
from cxr.tracking.run import Run, open_run
from cxr.tracking.scratch import scratch
from cxr.tracking.search import LoggedRun, with_sweep
from cxr.tracking.store import Store
from cxr.tracking.unfinished import TAG, Unfinished
from cxr.training.trained_model import open_model

Made = TypeVar("Made")


def run_pipeline(
    prepared: PreparedRun, store: Store, claimed: Unfinished, progress: Progress, reports: Reports | None = None
) -> RunResult:
    """Do a prepared run that this process has claimed, from what an earlier attempt left. The store has to be open.

    Its report is handed to `reports`, if there is one, and else made here.
    """
    earlier = claimed.earlier_run() or unreported_twin(prepared)
    reported = wants_report(prepared)
    tags = run_tags(prepared) | {TAG: claimed.folder.name}
    if earlier and earlier.is_finished and (job := prepared.provenance.job):  # it lacks a report, and stays in its own sweep too
        tags["cxr.sweep_id"] = with_sweep(earlier, job.sweep_id)
    with (
        open_run(store, prepared.config, run_name(prepared), tags, go_on=earlier.id if earlier else None) as run,
        scratch() as folder,
        DrawingAhead(wanted=_may_draw_ahead(prepared) and reported and reports is None) as ahead,
    ):
        claimed.belongs_to(run.id)
        trained = _kept(earlier, prepared, progress) or _train_and_keep(prepared, run, claimed, folder, progress)
        claimed.training_is_in_store()
        ahead.start()
        with _costs_no_training(run, "the assessment of its predictions"), progress.stage("report", "Assessing predictions"):
            results, assessment = assess_run(prepared, trained.predictions)
            metrics = record_numbers(run, results, assessment, trained.history, folder / "numbers")
        evaluated = results[-1].predictions
        found, context = Results(trained.history, evaluated, assessment, [], None), context_of(prepared, run)
        if reported:
            with _costs_no_training(run, "Grad-CAM"), progress.stage("report", "Computing Grad-CAM"):
                drawn, saliency = _with_images(prepared, progress, lambda run: explain(run, evaluated, assessment, trained.model))
                found = replace(found, pictures=drawn, saliency=saliency)
            ahead.draw(found, prepared.config.evaluation.figure_dpi)
        with _costs_no_training(run, "its audit"):
            if audited := _audited(prepared, run, trained, folder / "audit", progress):
                context, found = with_audit(context, audited.found), replace(found, audit_pictures=audited.pictures)
                metrics |= audited.metrics
        known = progress.seconds, tuple(progress.log)
        origin = prepared.config, prepared.provenance, tags, context
        work = Unreported(store, run.id, run.name, *origin, found, trained.frozen, *known)
        against = None
        if not reported:
            close_account(work, run, folder, progress)
        elif reports is not None and not run.lost and reports.has_room():
            run.handed_over = claimed.handed_over = True
        else:
            with _costs_no_training(run, "its report"):
                against = make_report(work, run, folder, progress, ahead.figures())
    if reports is not None and run.handed_over:
        reports.take(work, claimed)
    if progress.job is None:
        print_summary(run, assessment, against)
    return RunResult(run.id, metrics | (against.metrics() if against else {}))


def _may_draw_ahead(prepared: PreparedRun) -> bool:
    """Whether there is an audit to draw beside, and no other job that wants the cores."""
    return prepared.config.audit.images > 0 and prepared.provenance.at_once == 1


def _audited(prepared: PreparedRun, run: Run, trained: Trained, folder: Path, progress: Progress) -> Audited | None:
    """The audit that the config asks for, in the store; what chooses among runs is measured on validation images alone."""
    settings = prepared.config.audit
    if not (most := settings.images):
        return None
    with progress.stage("audit", "Auditing what the model learned besides the disease"):
        model = open_model(trained.model, prepared.config, prepared.cache)
        subject = _with_images(prepared, progress, lambda read: subject_of(read.config, read.dataset, read.root, most))
        validation = _with_images(
            prepared, progress, lambda read: validation_subject(read.config, read.dataset, read.root, settings.seen)
        )
        found = audit(subject, model, settings, trained.gate)
        without_shortcut = auc_on_other_surroundings(validation, model)
        pictures = flips_figure(found, subject) if prepared.config.evaluation.pictures else []
    metrics = audit_metrics(found) | ({} if without_shortcut is None else {WITHOUT_SHORTCUT: without_shortcut})
    write_audit(folder, found)
    run.log_folder(folder)
    run.log_metrics(metrics)
    run.set_tags(audit_tags(found))
    progress.line(f"  {found.verdict.in_words}")
    return Audited(found, pictures, metrics)


def _kept(earlier: LoggedRun | None, prepared: PreparedRun, progress: Progress) -> Trained | None:
    """What an earlier attempt at this run trained, where the store has it: only its report is missing."""
    if earlier is None or not earlier.holds_training:
        return None
    try:
        trained = kept_training(earlier, prepared.dataset)
    except UserError as error:
        progress.console.print(f"cxr: {error}: training again")
        return None
    progress.line(f"  run {earlier.short_id} was trained before: making what is missing (force=true starts again)")
    return trained


def _train_and_keep(prepared: PreparedRun, run: Run, claimed: Unfinished, folder: Path, progress: Progress) -> Trained:
    """Train and predict, and put the result into the store."""
    record_inputs(run, prepared, folder / "inputs")

    def train_and_predict(prepared: PreparedRun) -> Trained:
        network, fitted = train(prepared, run, progress, claimed.checkpoint)
        return predict(prepared, network, fitted, folder / "trained", progress)

    trained = _with_images(prepared, progress, train_and_predict)
    with progress.stage("log", "Logging model and predictions"):
        keep_training(run, prepared, trained, folder / "trained")
    return trained


def _with_images(prepared: PreparedRun, progress: Progress, work: Callable[[PreparedRun], Made]) -> Made:
    """The result of `work`; where the cache loses files of the images meanwhile, read the images again and repeat it once."""
    try:
        return work(prepared)
    except RowsLost as lost:
        progress.console.print(f"cxr: {lost}: reading the images again")
        return work(read_again(prepared, progress))


@contextmanager
def _costs_no_training(run: Run, what: str) -> Iterator[None]:
    """Model and predictions are in the store: turn any later failure into one line with the command that makes the rest."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split()) if isinstance(error, RunFailed | UserError) else f"{type(error).__name__}: {error}"
        raise RunFailed(
            f"run {run.name} ({run.id[:8]}) is trained, and model and predictions are kept, but {what} failed ({reason}): "
            f"the same command, or cxr evaluate {run.id[:8]}, makes what is missing"
        ) from error
