"""The audit of a logged run: its images read again, and the result added to the run."""

from cxr.audit.audit import Audit
from cxr.audit.subject import Subject
from cxr.config.schema import Config
from cxr.data.dataset import read_dataset
from cxr.data.sources.locate import locate_images
from cxr.progress import Progress
from cxr.run.audited import audit_metrics, audit_tags, subject_of, write_audit
from cxr.run.logged import Logged
from cxr.run.prepared import cache_of
from cxr.tracking.run import add_to
from cxr.tracking.scratch import scratch
from cxr.tracking.search import LoggedRun
from cxr.tracking.store import Store


def read_subject(logged: Logged, config: Config, most: int, progress: Progress) -> Subject:
    """Up to `most` of the images of a run, read where the config says that they are now."""
    image_list = locate_images(config.data, progress.stage, logged.manifest)
    dataset = read_dataset(config, image_list, progress.stage, cache_of(config, progress), logged.manifest)
    return subject_of(config, dataset, image_list.root, most)


def keep_audit(store: Store, run: LoggedRun, found: Audit) -> None:
    """Add audit/audit.json, metrics audit/... and the tag cxr.audit to the run."""
    with scratch() as folder:
        write_audit(folder, found)
        add_to(store, run, folder, audit_metrics(found), audit_tags(found))
