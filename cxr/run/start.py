"""The start of a run, before TensorFlow is imported: prepare it, skip it if finished, make its baseline, claim it."""

from cxr.compare.baseline import baseline_for, baselines_like
from cxr.config.provenance import Provenance
from cxr.config.schema import Config
from cxr.progress import Progress
from cxr.run.identity.attempt import RunResult, claimed, folder_name
from cxr.run.identity.remaining import remaining
from cxr.run.identity.tags import run_tags
from cxr.run.prepared import PreparedRun, prepare
from cxr.run.report.reporting import Reports
from cxr.run.report.summary import print_finished
from cxr.tracking.outbox import deliver_kept
from cxr.tracking.search import join_sweep
from cxr.tracking.store import check_experiment, check_store, locate_store, open_store, work_folder
from cxr.tracking.unfinished import close_cut_off_runs, one_at_a_time
from cxr.training.runtime import prepare_tensorflow


def run_experiment(
    config: Config,
    provenance: Provenance,
    progress: Progress | None = None,
    reports: Reports | None = None,
    prepared: PreparedRun | None = None,
) -> RunResult:
    """Do one run, or resume one that was cut off.

    After the store has the run, it records how that ended.

    Args:
        reports: makes the report; else this process does.
        prepared: the same run, where it was prepared before.

    Raises:
        UserError: The run can't start; nothing is in the store.
    """
    progress = progress or Progress()
    store = prepared.store if prepared else locate_store(config.tracking, config.work)
    check_store(store)
    check_experiment(store, config.tracking.experiment)
    prepared = prepared or prepare(config, provenance, progress, store=store)
    with progress.timed("start"):
        open_store(store)
        deliver_kept(store)
        close_cut_off_runs(store)
        if not _wants_baseline(prepared) and (result := _done_before(prepared)):
            return result
    with progress.stage("start", "Starting TensorFlow"):
        prepare_tensorflow(config.training, provenance.at_once, provenance.job_number)  # before anything else imports Keras
    ensure_baseline(prepared, progress)
    if reports is not None:
        reports.wait_for(folder_name(prepared))
    with claimed(prepared, progress) as unfinished:
        if result := _done_before(prepared):  # by another process, meanwhile
            return result
        from cxr.run.pipeline import run_pipeline  # the one lazy import of the package: it imports Keras

        return run_pipeline(prepared, store, unfinished, progress, reports)


def ensure_baseline(prepared: PreparedRun, progress: Progress) -> None:
    """With `baseline.auto=true`, make the missing baseline of this run, once for all jobs. The store has to be open."""
    if not _wants_baseline(prepared):
        return
    tags = run_tags(prepared)
    with one_at_a_time(f"baseline-{tags['cxr.split_fingerprint']}", work_folder(prepared.config.work)):
        if not baselines_like(tags):  # nor has another process made it meanwhile
            config, provenance = baseline_for(prepared.config, prepared.provenance)
            progress.line("There is no frozen-head baseline on this data and split: making it first")
            run_experiment(config, provenance, Progress(progress.console, job=progress.job and "baseline", bars=progress.bars))
            prepare_tensorflow(prepared.config.training, prepared.provenance.at_once, prepared.provenance.job_number)


def _wants_baseline(prepared: PreparedRun) -> bool:
    config = prepared.config
    return config.baseline.auto and config.tracking.role != "baseline" and not baselines_like(run_tags(prepared))


def _done_before(prepared: PreparedRun) -> RunResult | None:
    """The result of an earlier run that has all of this one."""
    left = remaining(prepared)
    if not left.is_nothing or left.run is None:
        return None
    if job := prepared.provenance.job:
        join_sweep(left.run, job.sweep_id)
    else:
        print_finished(left.run)
    return RunResult(left.run.id, left.run.metrics, was_finished=True)
