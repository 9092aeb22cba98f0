"""The result on other data beside the run's own: what both have, and how far the other data lies from the run's images."""

from cxr.config.schema import EvaluationConfig
from cxr.evaluation.assessment import Assessment
from cxr.evaluation.estimates import unpaired_difference
from cxr.evaluation.metric_table import AUC_NOT_NORMAL, by_class, overall
from cxr.evaluation.report.document import MetricShift, OtherDataResult
from cxr.evaluation.roles import roles_of
from cxr.evaluation.shift import shift_of
from cxr.reevaluate.other_data import ScoredData
from cxr.run.fit.features import read_sample
from cxr.text import part_in_full, slug
from cxr.tracking.logged_run import LoggedRun


def against_own(
    run: LoggedRun, own: Assessment, assessment: Assessment, settings: EvaluationConfig, scored: ScoredData
) -> OtherDataResult:
    """The run's own result beside that of other data, for the metrics of the first screen and the summary."""
    sampled, sample = read_sample(run), scored.sample
    shift = shift_of(sampled, sample) if sampled and sampled.pooled.shape[1] == sample.pooled.shape[1] else None
    why_not = "" if shift else "the run was made before features of its images were stored: cxr reproduce makes a run that has them"
    changes = changes_from_own(own, assessment, settings)
    return OtherDataResult(part_in_full(own.part), own.images, changes, shift, why_not, scored.passed)


def changes_from_own(own: Assessment, other: Assessment, settings: EvaluationConfig) -> list[MetricShift]:
    """The metrics that both have a value of; those over all classes only where the other data has images of each."""
    labels, of_own = {AUC_NOT_NORMAL.name: AUC_NOT_NORMAL.label}, dict(own.estimates)
    normal = roles_of(settings, own.classes).normal_class
    if normal is not None:  # on own data it is the AUC of that class
        of_own[AUC_NOT_NORMAL.name] = own.estimates[f"{slug(own.classes[normal])}/auc"]
    if all(other.by_class.values()):
        labels |= {metric.name: metric.label for metric in (*overall("headline"), *overall("summary"))}
    for name in own.classes:
        labels |= {f"{slug(name)}/{metric.name}": f"{name} {metric.label}" for metric in by_class("summary")}
    return [
        MetricShift(name, label, of_own[name], other.estimates[name], unpaired_difference(of_own[name], other.estimates[name]))
        for name, label in labels.items()
        if name in of_own and name in other.estimates and other.estimates[name].value is not None
    ]
