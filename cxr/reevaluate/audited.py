"""The audit of a logged run: its images are read again, and the result is added to the run."""

from dataclasses import replace
from pathlib import Path

from cxr.config.schema import Config
from cxr.data.dataset import read_dataset
from cxr.data.sources.locate import locate_images
from cxr.progress import Progress
from cxr.run.audited import AuditResult, audit_run, log_audit
from cxr.run.fit.stored_training import kept_gate
from cxr.run.identity.logged import Logged
from cxr.run.identity.remaining import record_stage
from cxr.run.origin import MODEL
from cxr.run.prepared import cache_of, inputs_of
from cxr.stages.basis import Basis
from cxr.stages.record import Record, tag_of, written_by
from cxr.stages.table import Stage
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.run import Run
from cxr.training.runtime import prepare_tensorflow


def audit_again(run: LoggedRun, logged: Logged, config: Config, progress: Progress) -> tuple[AuditResult, Basis]:
    """The audit that a config asks for, of the model of a run, and what it rests on. Loads TensorFlow."""
    image_list = locate_images(config.data, progress.stage, logged.manifest)
    cache = cache_of(config, progress)
    dataset = read_dataset(config, image_list, progress.stage, cache, logged.manifest)
    prepare_tensorflow(replace(config.training, threads=None))
    from cxr.training.trained_model import open_model  # imports Keras

    with progress.stage("audit", f"Auditing up to {config.audit.images} images"):
        model = open_model(run.file(MODEL), config, cache)
        audited = audit_run(config, dataset, image_list.root, model, kept_gate(run))
    basis = inputs_of(config, dataset.manifest, image_list.root, None).bases[Stage.AUDIT]
    return audited, replace(basis, after={Stage.GATE.value: run.tags.get(tag_of(Stage.GATE), "")})


def add_audit(run: Run, audited: AuditResult, basis: Basis, folder: Path) -> None:
    """Add the audit to an open run, with the record of the stage. A run of an earlier version has no records, and gets none."""
    log_audit(run, audited, folder)
    if basis.after[Stage.GATE]:
        record_stage(run, Stage.AUDIT, Record(basis, written_by(Stage.AUDIT, run.files)))
