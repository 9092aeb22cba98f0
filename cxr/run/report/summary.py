"""The summary at the end of a run: its time by stage, a table of results, and the command that shows the rest."""

from collections.abc import Mapping

from rich import box
from rich.table import Table

from cxr.compare.baseline import AgainstBaseline
from cxr.evaluation.assessment import Assessment
from cxr.evaluation.estimates import no_image_of
from cxr.evaluation.metric_table import AUC_NOT_NORMAL, by_class, overall
from cxr.evaluation.operating_points import OPTIMISTIC
from cxr.evaluation.report.document import from_json
from cxr.evaluation.report.files import DOCUMENT
from cxr.progress import plain_console, wide_console
from cxr.text import as_called, pluralize, slug
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.run import Run
from cxr.tracking.search import runs_by_id
from cxr.training.history import FrozenWork


def print_summary(run: Run, assessment: Assessment, against: AgainstBaseline | None) -> None:
    """Each class' numbers, the overall ones, operating points, the difference from the baseline, and the command that shows all."""
    print_assessment(run.name, assessment)
    out = plain_console()
    if against and against.baseline:
        differences = {
            row.metric: f"{row.difference:+.3f} ({row.interval_text}; p {row.p_value_text})" for row in against.differences
        }
        shown = [f"{metric.label} {differences[metric.name]}" for metric in overall("headline") if metric.name in differences]
        out.print(f"  Against baseline {against.baseline.short_id}: {', '.join(shown)}")
    elif against:
        out.print(f"  Against the baseline: {as_called(against.reason)}")
    if run.outbox is None:
        out.print(f"  Run {run.id} is logged; its report: {report_of(run.id)}")
        out.print(as_called("  See it beside others with  cxr ui"))
    elif not run.lost:
        out.print(f"  Run {run.id} is logged: see it, its figures and report at  {run.outbox.uri}")


def print_finished(run: LoggedRun) -> None:
    """That an earlier run has all that was wanted, with its numbers."""
    out = plain_console()
    out.print(f"  Nothing is left to make: run {run.name} ({run.short_id}) has all of it (force=true makes it again)")
    if run.has_file(DOCUMENT):
        print_assessment(run.name, from_json(run.file(DOCUMENT).read_text(encoding="utf-8")).assessment)
        out.print(f"  Its report: {report_of(run.id)}")


def report_of(run_id: str) -> str:
    """Where the report of a run is: its path, else a phrase; the store has to be open."""
    run = runs_by_id([run_id])[run_id]
    return str(run.file("report.html")) if run.has_file("report.html") else "report.html among its artifacts"


def print_assessment(name: str, assessment: Assessment) -> None:
    """Each class' numbers, the overall ones and the operating points, with 95 % intervals."""
    out, estimates = plain_console(), assessment.estimates
    table = Table(title=f"{name}, evaluated on {assessment.part}", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("")
    for metric in by_class("summary"):
        table.add_column(metric.label, justify="right")
    absent = [name_of_class for name_of_class, count in assessment.by_class.items() if not count]
    for name_of_class in (name_of_class for name_of_class in assessment.classes if name_of_class not in absent):
        table.add_row(name_of_class, *(estimates[f"{slug(name_of_class)}/{metric.name}"].text for metric in by_class("summary")))
    wide_console().print(table)
    if absent:
        out.print(f"  {no_image_of(*absent).replace('not', 'Not', 1)}")
    known = [metric for metric in overall("summary") if estimates[metric.name].value is not None]
    out.print("  " + ", ".join(f"{metric.label} {estimates[metric.name].text}" for metric in known))
    if not_normal := estimates.get(AUC_NOT_NORMAL.name):
        out.print(f"  {AUC_NOT_NORMAL.title}: {not_normal.text_or_reason}")
    for line in describe_operating_points(assessment):
        out.print(f"  {line}")


def describe_operating_points(assessment: Assessment) -> list[str]:
    """A line for each operating point with a target, and one on calibration."""
    lines = []
    for point in assessment.operating_points:
        if point.rule.target is None or assessment.triage is None:
            continue
        aim = f"{point.rule.aim.capitalize()} target {point.rule.target:g} for {assessment.triage.positive_class}"
        at = f"sensitivity {point.evaluated.sensitivity.text} at specificity {point.evaluated.specificity.text}. "
        at += f"{OPTIMISTIC if assessment.chosen_on_same else ''}{point.outcome}"
        lines.append(f"{aim}: {point.verdict if assessment.without_positives else at}")
    before, after = assessment.calibration.ece, assessment.calibration_after.ece
    return [*lines, f"Calibration error {before:.3f}, after temperature {assessment.temperature.value:.2f}: {after:.3f}"]


# In the order of a run; imports last.
_STAGES = ("draw", "index", "decode", "frozen", "train", "evaluate", "report", "audit", "log", "start")


def describe_seconds(seconds: Mapping[str, float], frozen: FrozenWork) -> str:
    """Where a run's time went, in one line.

    >>> from cxr.training.history import FrozenWork
    >>> describe_seconds({"index": 0.1, "frozen": 5.0, "train": 1.26}, FrozenWork(computed=1500, found=500))
    'Time: index 0.1 s, frozen part 5.0 s (1,500 computed, 300 images/s; 500 from the cache), train 1.3 s'
    """
    parts = []
    for name in sorted(seconds, key=lambda name: (*_STAGES, name).index(name)):
        if name == "frozen":
            rate = f"{frozen.computed:,} computed, {frozen.computed / seconds[name]:.0f} images/s; {frozen.found:,} from the cache"
            parts.append(f"frozen part {seconds[name]:.1f} s ({rate})")
        else:
            parts.append(f"{'start-up' if name == 'start' else name} {seconds[name]:.1f} s")
    if frozen.found and "frozen" not in seconds:
        parts.append(f"frozen part 0 s ({pluralize(frozen.found, 'activation')} from the cache)")
    return f"Time: {', '.join(parts)}"
