"""The headings, cells and sentences of a results table: the same for terminal, Markdown and HTML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cxr.compare.effects import METRIC_NAMES, Effect, describe_effects
from cxr.compare.runs import SPECIFICITIES
from cxr.compare.table import Row, Table
from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.light import Light
from cxr.evaluation.metrics import WITHOUT_SHORTCUT
from cxr.text import duration, slug

NONE = "-"


@dataclass(frozen=True)
class Column:
    """A column: its heading, in full and in lines of a terminal, and the cell of a row: a value and a line below it, or ""."""

    heading: str
    short: str
    cell: Callable[[Row], tuple[str, str]]


def columns_of(table: Table) -> list[Column]:
    """The columns that have a value in at least one row."""
    name, of_class = table.positive, slug(table.positive)
    columns = [
        Column("accuracy", "accuracy", partial(_value, "accuracy")),
        Column("accuracy, calibrated", "accuracy,\ncalibrated", partial(_value, "accuracy_calibrated")),
        Column("macro AUC", "macro AUC", partial(_value, "auc_macro_ovr")),
        Column("evidence of a shortcut", "evidence of\na shortcut", lambda row: (describe_lights(row.lights), "")),
        Column("macro AUC on other backgrounds", "macro AUC on other\nbackgrounds", partial(_value, WITHOUT_SHORTCUT)),
    ]
    if name:
        heading = f"{name} sensitivity (specificity), most probable class"
        columns.append(Column(heading, "sensitivity (specificity),\nmost probable class", partial(_rates, of_class)))
    specificities = specificities_of(table)
    for specificity in specificities:
        heading = f"{name} sensitivity (specificity), threshold for specificity {specificity:g}"
        short = f"sensitivity (specificity),\nthreshold for {specificity:g}"
        columns.append(Column(heading, short, partial(_rates, f"at_specificity_{specificity:g}")))
    columns.append(Column("accuracy, difference", "accuracy,\ndifference", partial(_difference, "accuracy")))
    for specificity in specificities[:1]:
        heading = f"sensitivity at specificity {specificity:g}, difference"
        short = f"sensitivity at {specificity:g},\ndifference"
        columns.append(Column(heading, short, partial(_difference, f"at_specificity_{specificity:g}/sensitivity")))
    columns += [
        Column("accuracy elsewhere", "accuracy\nelsewhere", partial(_elsewhere, "accuracy")),
        Column("macro AUC elsewhere", "macro AUC\nelsewhere", partial(_elsewhere, "auc_macro_ovr")),
        Column(f"{name} sensitivity elsewhere", "sensitivity\nelsewhere", partial(_elsewhere, f"{of_class}/sensitivity")),
        Column("time of a run", "time\nof a run", _time),
    ]
    return [column for column in columns if any(column.cell(row)[0] != NONE for row in table.rows)]


def specificities_of(table: Table) -> list[float]:
    """The specificities for which the table has thresholds."""
    return [specificity for specificity in SPECIFICITIES if table.knows(f"at_specificity_{specificity:g}/specificity")]


def legend_of(table: Table) -> list[str]:
    """What the table shows, in sentences."""
    sentences = [f"Evaluated on {table.evaluated}. Intervals ({PERCENT}) cover the choice of images, not of trainings."]
    if table.positive:
        sentences.append(
            f"Thresholds of {table.positive} are chosen by each run on its own validation images; the specificity next to a "
            "sensitivity is what that threshold has on the evaluated images."
        )
    sentences.append("Calibrated: the most probable class after a shift of each class, fitted on validation images.")
    if table.reference:
        sentences.append(f"Differences are from {table.reference}, on the same images.")
    if table.knows(WITHOUT_SHORTCUT):
        sentences.append(
            "Other backgrounds: validation images whose lungs lie on the background of another class; a model that reads lungs "
            "keeps its AUC there."
        )
    if images := next((row.values["external/images"] for row in table.rows if "external/images" in row.values), None):
        sentences.append(f"Elsewhere: {images:,} images of other data; mean over runs, below it the lowest and the highest.")
    if table.knows("seconds"):
        sentences.append("Time: the mean of the logged runs; it depends on what each run's cache held, and includes its audit.")
    return [*sentences, *table.notes]


def effects_as_rows(effects: Sequence[Effect]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table of effects: a change and its interval for each metric, and the time."""
    headings = ["changed", *(METRIC_NAMES.get(metric, metric) for metric in effects[0].changes), "time of training"]
    seconds = [NONE if effect.seconds is None else f"{effect.seconds:+.0f} s" for effect in effects]
    texts = [[change.text for change in effect.changes.values()] for effect in effects]
    return headings, [[effect.name, *row, time] for effect, row, time in zip(effects, texts, seconds, strict=True)]


def effects_markdown(effects: Sequence[Effect]) -> str:
    """The effects as a Markdown table, and a paragraph on them."""
    headings, rows = effects_as_rows(effects)
    return _markdown([headings, *rows], describe_effects(effects))


def describe_missing(table: Table) -> list[str]:
    """The presets that the table lacks, in a sentence for each reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in table.missing.items():
        by_reason.setdefault(reason, []).append(name)
    return [f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} missing: {reason}." for reason, names in by_reason.items()]


def describe_lights(lights: Sequence[Light | None]) -> str:
    """The lights of an experiment's audits, worst first; "-" where no run was audited.

    >>> describe_lights([Light.STRONG, Light.SOME, Light.STRONG]), describe_lights([Light.NONE])
    ('strong evidence (2 of 3), some evidence (1 of 3)', 'no evidence')
    >>> describe_lights([Light.NONE, Light.UNKNOWN, None]), describe_lights([None])
    ('not known (1 of 3), not audited (1 of 3), no evidence (1 of 3)', '-')
    """
    if not any(lights):
        return NONE
    order = (Light.STRONG, Light.SOME, Light.UNKNOWN, None, Light.NONE)
    labels = {light: light.label.removesuffix(" of a shortcut") if light else "not audited" for light in order if light in lights}
    if len(labels) == 1:
        return next(iter(labels.values()))
    return ", ".join(f"{label} ({lights.count(light)} of {len(lights)})" for light, label in labels.items())


def markdown_of(table: Table) -> str:
    """The table and its legend as Markdown."""
    columns = columns_of(table)
    rows = [["", *(column.heading for column in columns)]]
    rows += [[row.experiment.name, *(" ".join(filter(None, column.cell(row))) for column in columns)] for row in table.rows]
    return _markdown(rows, " ".join([*legend_of(table), *describe_missing(table)]))


def _markdown(rows: Sequence[Sequence[str]], text: str) -> str:
    """A table, the first row of which is its heading, and a text below it."""
    escapes = str.maketrans({"\\": "\\\\", "|": "\\|", "<": "&lt;"})
    lines = [f"| {' | '.join(cell.translate(escapes) for cell in row)} |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join([*lines, "", text, ""])


def _value(name: str, row: Row) -> tuple[str, str]:
    """A value and its interval."""
    value, low, high = (row.values.get(f"{name}{end}") for end in ("", "_lo", "_hi"))
    if value is None:
        return NONE, ""
    return f"{value:.3f}", "" if low is None or high is None else f"({low:.3f}-{high:.3f})"


def _rates(name: str, row: Row) -> tuple[str, str]:
    """A sensitivity with the specificity next to it, and the interval of the first."""
    value, ends = _value(f"{name}/sensitivity", row)
    return (NONE, "") if value == NONE else (f"{value} ({_value(f'{name}/specificity', row)[0]})", ends)


def _difference(name: str, row: Row) -> tuple[str, str]:
    difference, low, high = (row.values.get(f"vs_baseline/{name}{end}") for end in ("", "_lo", "_hi"))
    if difference is None:
        return NONE, ""
    return f"{difference:+.3f}", "" if low is None else f"({low:+.3f} to {high:+.3f})"


def _elsewhere(name: str, row: Row) -> tuple[str, str]:
    if f"external/{name}" not in row.values:
        return NONE, ""
    mean, low, high = (row.values[f"external/{name}{end}"] for end in ("", "_lowest_run", "_highest_run"))
    return f"{mean:.3f}", f"({low:.3f}-{high:.3f})" if high > low else ""


def _time(row: Row) -> tuple[str, str]:
    return duration(row.values["seconds"]) if "seconds" in row.values else NONE, ""
