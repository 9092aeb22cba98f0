"""The story of one run: train, predict, evaluate, explain, report, and store each result before the next step."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from cxr.audit.account import verdict_text
from cxr.cache.rows import RowsLost
from cxr.errors import RunFailed, UserError
from cxr.evaluation.report.document import ReportContext
from cxr.progress import Progress
from cxr.run.audited import AuditResult, audit_run, kept_audit, log_audit
from cxr.run.fit.predict import predict
from cxr.run.fit.stored_training import Trained, keep_context, keep_training, kept_course, kept_training
from cxr.run.fit.train import train, train_from
from cxr.run.identity.attempt import RunResult
from cxr.run.identity.reasons import reasons_of, stages_of
from cxr.run.identity.remaining import (
    BY_NETWORK,
    Recorder,
    Remaining,
    changed_settings,
    copy_files,
    inputs_in_store,
    records_of,
    remaining,
    wanted_stages,
)
from cxr.run.identity.tags import run_name, run_tags
from cxr.run.origin import MODEL
from cxr.run.prepared import PreparedRun, read_again
from cxr.run.report.artifacts import Results, record_inputs, record_numbers
from cxr.run.report.assess import assess_run
from cxr.run.report.context import context_of, with_audit
from cxr.run.report.explain import explain
from cxr.run.report.reporting import Reports, Unreported, close_account, make_report
from cxr.run.report.summary import print_summary
from cxr.stages.table import Stage
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.run import Run, open_run
from cxr.tracking.scratch import scratch
from cxr.tracking.search import with_sweep
from cxr.tracking.stage import TRAINED
from cxr.tracking.store import Store
from cxr.tracking.unfinished import TAG, Unfinished
from cxr.training.trained_model import open_model

Made = TypeVar("Made")


def run_pipeline(
    prepared: PreparedRun, store: Store, claimed: Unfinished, progress: Progress, reports: Reports | None = None
) -> RunResult:
    """Make what is left of a prepared run that this process has claimed. The store has to be open.

    Its report is handed to `reports`, if there is one, and else made here.
    """
    left = remaining(prepared, claimed.earlier_run(), claimed.is_first)
    if left.is_nothing and left.run and left.run.is_finished:  # another process has made it meanwhile
        return RunResult(left.run.id, left.run.metrics, was_finished=True)
    config, begun = prepared.config, left.run
    with (
        open_run(store, config, run_name(prepared), _tags(prepared, left, claimed), resumed=begun.id if begun else None) as run,
        scratch() as folder,
    ):
        claimed.belongs_to(run.id)
        if left.run and left.trained:  # whatever fails from here on, the same command resumes
            claimed.training_is_in_store()
        context = context_of(prepared, run, left.source.id if left.source else "")
        recorder = _begin(prepared, run, left, context, folder, progress)
        trained = _training(prepared, run, left, recorder, claimed, folder, progress)
        claimed.training_is_in_store()
        with _costs_no_training(run, "the assessment of its predictions"), progress.stage("report", "Assessing predictions"):
            results, assessment = assess_run(prepared, trained.predictions)
            metrics = {} if Stage.ASSESS in left.stages or begun is None else dict(begun.metrics)
            if Stage.ASSESS in left.stages:
                metrics |= record_numbers(run, results, assessment, trained.history, folder / "numbers")
                recorder.done(Stage.ASSESS)
        evaluated = results[-1].predictions
        content = Results(trained.history, evaluated, assessment, [], None)
        if Stage.REPORT in left.stages:
            with _costs_no_training(run, "Grad-CAM"), progress.stage("report", "Computing Grad-CAM"):
                drawn, saliency = _with_images(prepared, progress, lambda run: explain(run, evaluated, assessment, trained.model))
                content = replace(content, pictures=drawn, saliency=saliency)
        with _costs_no_training(run, "its audit"):
            if audited := _audited(prepared, run, left, recorder, trained, folder / "audit", progress):
                context, content = with_audit(context, audited.audit), replace(content, audit_pictures=audited.pictures)
                metrics |= audited.metrics
        known = progress.seconds, tuple(progress.log)
        origin = config, prepared.provenance, run_tags(prepared), context
        work = Unreported(store, run.id, run.name, *origin, content, trained.frozen, *known, recorder.basis(Stage.REPORT))
        against = None
        if Stage.REPORT not in left.stages:
            close_account(work, run, folder, progress)
        elif reports is not None and not run.lost:
            run.handed_over = claimed.handed_over = True
        else:
            with _costs_no_training(run, "its report"):
                against = make_report(work, run, folder, progress)
    if reports is not None and run.handed_over:
        reports.take(work, claimed)
    if progress.job is None:
        print_summary(run, assessment, against)
    return RunResult(run.id, metrics | (against.metrics() if against else {}))


def _tags(prepared: PreparedRun, left: Remaining, claimed: Unfinished) -> dict[str, str | None]:
    tags = run_tags(prepared) | {TAG: claimed.folder.name}
    if left.source:
        tags["cxr.training_of"] = left.source.id
    if left.run and (job := prepared.provenance.job):  # it stays in its own sweeps too
        tags["cxr.sweep_id"] = with_sweep(left.run, job.sweep_id)
    return tags


def _begin(prepared: PreparedRun, run: Run, left: Remaining, context: ReportContext, folder: Path, progress: Progress) -> Recorder:
    """Log the inputs, and mark that the run lacks what is made now; say what is used of an earlier run, and why not all."""
    earlier = records_of(left.run, wanted_stages(prepared, with_audit=True)) if left.run else {}
    recorder = Recorder(run, inputs_in_store(prepared), earlier)
    if left.run:
        run.set_tags(changed_settings(left.run, prepared.inputs.params))
        if left.run.is_finished:
            run.reached(TRAINED)
        recorder.begin(list(left.stages))
    if left.trained:
        of = "" if left.run else f", whose training of run {left.trained.short_id} is copied"
        progress.line(f"  {run.name} was trained before{of}: making {stages_of(left)} (force=true starts again)")
        for line in reasons_of(left, prepared.dataset.manifest):
            progress.line(f"    {line}")
    record_inputs(run, prepared, folder / "inputs")
    keep_context(run, context, folder / "context")
    recorder.done(Stage.DECODE)
    return recorder


def _audited(
    prepared: PreparedRun, run: Run, left: Remaining, recorder: Recorder, trained: Trained, folder: Path, progress: Progress
) -> AuditResult | None:
    """The audit that the config asks for, in the store, or the one that the run has."""
    if Stage.AUDIT not in left.stages:
        if left.run is None or Stage.AUDIT not in recorder.records or Stage.REPORT not in left.stages:
            return None
        begun = left.run
        return _with_images(prepared, progress, lambda read: kept_audit(begun, read.config, read.dataset, read.root))
    with progress.stage("audit", "Auditing what the model learned besides the disease"):
        model = open_model(trained.model, prepared.config, prepared.cache)
        audited = _with_images(
            prepared, progress, lambda read: audit_run(read.config, read.dataset, read.root, model, trained.gate)
        )
    log_audit(run, audited, folder)
    recorder.done(Stage.AUDIT)
    progress.line(f"  {verdict_text(audited.audit)}")
    return audited


def _training(
    prepared: PreparedRun, run: Run, left: Remaining, recorder: Recorder, claimed: Unfinished, folder: Path, progress: Progress
) -> Trained:
    """Model and predictions, in the store: those of an earlier run, predictions alone made again, or all of it trained."""
    if left.run and not {Stage.TRAIN, *BY_NETWORK} & set(left.stages):
        return kept_training(left.run, prepared.dataset)
    place, source = folder / "trained", left.trained
    if source is None:

        def train_and_predict(prepared: PreparedRun) -> Trained:
            network, fitted = train(prepared, run, progress, claimed.checkpoint)
            return predict(prepared, network, fitted, place, progress)

        trained = _with_images(prepared, progress, train_and_predict)
    else:
        trained = _training_of(source, prepared, run, left, place, progress)
    with progress.stage("log", "Logging model and predictions"):
        keep_training(run, prepared, trained, place)
        for stage in (Stage.TRAIN, *BY_NETWORK):
            recorder.done(stage)
    return trained


def _training_of(source: LoggedRun, prepared: PreparedRun, run: Run, left: Remaining, place: Path, progress: Progress) -> Trained:
    """The training of an earlier run: its files are copied into another run, and its predictions made again where they differ."""
    if left.run is None:
        run.log_epochs([(epoch.number, epoch.metrics) for epoch in kept_course(source).history.epochs])
        copy_files(source, [Stage.TRAIN, *(stage for stage in BY_NETWORK if stage not in left.stages)], place)
    if not {*BY_NETWORK} & set(left.stages):
        return replace(kept_training(source, prepared.dataset), model=place / MODEL)
    course, saved = kept_course(source), source.file(MODEL)

    def predict_again(prepared: PreparedRun) -> Trained:
        network, fitted = train_from(prepared, saved, course.history, progress)
        return replace(predict(prepared, network, fitted, place, progress, saved), frozen=course.frozen)

    return _with_images(prepared, progress, predict_again)


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
