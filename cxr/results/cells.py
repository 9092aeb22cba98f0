"""A results table in words: the same headings and cells for terminal, Markdown and HTML."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cxr.evaluation.estimates import Estimate
from cxr.evaluation.light import Light
from cxr.evaluation.paired import Difference
from cxr.results.effects import METRIC_NAMES, Effect, paragraph
from cxr.results.table import Row, Table
from cxr.text import duration, slug

NONE = "-"


@dataclass(frozen=True)
class Column:
    """A column: its heading, in full and in lines of a terminal, and the cell of a row as a value and what stands below it."""

    heading: str
    short: str
    cell: Callable[[Row], tuple[str, str]]


def columns_of(table: Table) -> list[Column]:
    """The columns for which at least one row has something to say."""
    name = table.positive
    found = [
        Column("accuracy", "accuracy", lambda row: _estimate(row.estimates["accuracy"])),
        Column("accuracy, calibrated", "accuracy,\ncalibrated", lambda row: _estimate(row.calibrated)),
        Column("macro AUC", "macro AUC", lambda row: _estimate(row.estimates["auc_macro_ovr"])),
        Column("evidence of a shortcut", "evidence of\na shortcut", lambda row: (describe_lights(row.audit), "")),
        Column("macro AUC on other surroundings", "macro AUC on other\nsurroundings", _without_shortcut),
    ]
    if name:
        heading = f"{name} sensitivity (specificity), most probable class"
        found.append(Column(heading, "sensitivity (specificity),\nmost probable class", lambda row: _of_class(row, slug(name))))
    asked = [point.specificity for point in table.rows[0].points]
    for place, specificity in enumerate(asked):
        heading = f"{name} sensitivity (specificity), threshold for specificity {specificity:g}"
        short = f"sensitivity (specificity),\nthreshold for {specificity:g}"
        found.append(Column(heading, short, partial(_point, place)))
    if table.reference:
        found.append(Column("accuracy, difference", "accuracy,\ndifference", _accuracy_gained))
    if asked and table.reference:
        heading, short = f"sensitivity at specificity {asked[0]:g}, difference", f"sensitivity at {asked[0]:g},\ndifference"
        found.append(Column(heading, short, lambda row: _difference(row.points[0].difference if row.points else None)))
    found += [
        Column("accuracy elsewhere", "accuracy\nelsewhere", lambda row: _elsewhere(row, "accuracy")),
        Column("macro AUC elsewhere", "macro AUC\nelsewhere", lambda row: _elsewhere(row, "auc_macro_ovr")),
        Column(f"{name} sensitivity elsewhere", "sensitivity\nelsewhere", lambda row: _elsewhere(row, f"{slug(name)}/sensitivity")),
        Column("time of a run", "time\nof a run", lambda row: (NONE if row.seconds is None else duration(row.seconds), "")),
    ]
    return [column for column in found if any(column.cell(row)[0] != NONE for row in table.rows)]


def legend_of(table: Table) -> list[str]:
    """What the table shows, in sentences."""
    found = [f"Evaluated on {table.evaluated}. Intervals (95 %) cover the choice of images, not of trainings."]
    if table.positive:
        found.append(
            f"Thresholds of {table.positive} are chosen by each run on its own validation images; the specificity beside a "
            "sensitivity is what that threshold has on the evaluated images."
        )
    found.append("Calibrated: the most probable class after a shift of each class that validation images ask for.")
    if table.reference:
        found.append(f"Differences are from {table.reference}, on the same images.")
    if any(row.without_shortcut is not None for row in table.rows):
        found.append(
            "Other surroundings: validation images whose lungs lie on the surroundings of another class; a model that reads lungs "
            "keeps its AUC there."
        )
    if any(row.elsewhere for row in table.rows):
        images = next(row.elsewhere.images for row in table.rows if row.elsewhere)
        found.append(f"Elsewhere: {images:,} images of other data; mean over runs, below it the lowest and the highest.")
    if any(row.seconds is not None for row in table.rows):
        found.append("Time: the mean of the logged runs, with what each found in the cache, and its audit.")
    return [*found, *table.notes]


def effects_as_rows(effects: Sequence[Effect]) -> tuple[list[str], list[list[str]]]:
    """Headings and rows of a table of effects: a change and its interval for each metric, and the time."""
    metrics = list(effects[0].changes)
    headings = ["changed", *(METRIC_NAMES.get(metric, metric) for metric in metrics), "time of training"]
    rows = []
    for effect in effects:
        told = [f"{each.value:+.3f} ({each.low:+.3f} to {each.high:+.3f})" for each in effect.changes.values()]
        rows.append([effect.name, *told, NONE if effect.seconds is None else f"{effect.seconds:+.0f} s"])
    return headings, rows


def effects_markdown(effects: Sequence[Effect]) -> str:
    """The effects as a Markdown table, and what they say."""
    headings, rows = effects_as_rows(effects)
    lines = [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in [headings, *rows]]
    lines.insert(1, "|" + "---|" * len(headings))
    return "\n".join([*lines, "", paragraph(effects), ""])


def describe_missing(table: Table) -> list[str]:
    """The presets that the table lacks, in a sentence for each reason."""
    found = []
    for reason in dict.fromkeys(table.missing.values()):
        names = [name for name, given in table.missing.items() if given == reason]
        found.append(f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} missing: {reason}.")
    return found


def describe_lights(lights: Sequence[Light | None]) -> str:
    """The lights of an experiment's audits, worst first; "-" where no run was audited.

    >>> describe_lights([Light.STRONG, Light.SOME, Light.STRONG]), describe_lights([Light.NONE])
    ('strong evidence (2 of 3), some evidence (1 of 3)', 'no evidence')
    >>> describe_lights([Light.NONE, Light.UNKNOWN, None]), describe_lights([None])
    ('not known (1 of 3), not audited (1 of 3), no evidence (1 of 3)', '-')
    """
    order = (Light.STRONG, Light.SOME, Light.UNKNOWN, None, Light.NONE)
    counts = [(light.label.removesuffix(" of a shortcut") if light else "not audited", lights.count(light)) for light in order]
    shown = [(label, count) for label, count in counts if count]
    if not any(lights):
        return NONE
    return shown[0][0] if len(shown) == 1 else ", ".join(f"{label} ({count} of {len(lights)})" for label, count in shown)


def markdown_of(table: Table) -> str:
    """The table and its legend as Markdown."""
    columns = columns_of(table)
    rows = [["", *(column.heading for column in columns)]]
    rows += [[row.experiment.name, *(" ".join(filter(None, column.cell(row))) for column in columns)] for row in table.rows]
    lines = [f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in rows]
    lines.insert(1, "|" + "---|" * len(rows[0]))
    return "\n".join([*lines, "", " ".join([*legend_of(table), *describe_missing(table)]), ""])


def _escaped(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.3f}"


def _estimate(estimate: Estimate) -> tuple[str, str]:
    ends = "" if estimate.low is None or estimate.high is None else f"({estimate.low:.3f}-{estimate.high:.3f})"
    return _number(estimate.value), ends


def _of_class(row: Row, name: str) -> tuple[str, str]:
    return _pair(row.estimates.get(f"{name}/sensitivity"), row.estimates.get(f"{name}/specificity"))


def _point(place: int, row: Row) -> tuple[str, str]:
    if place >= len(row.points):
        return NONE, ""
    return _pair(row.points[place].rates.sensitivity, row.points[place].rates.specificity)


def _pair(sensitivity: Estimate | None, specificity: Estimate | None) -> tuple[str, str]:
    """A sensitivity with the specificity beside it, and the interval of the first."""
    if sensitivity is None or sensitivity.value is None:
        return NONE, ""
    value, ends = _estimate(sensitivity)
    return f"{value} ({_number(specificity.value if specificity else None)})", ends


def _difference(found: Difference | None) -> tuple[str, str]:
    return (
        (NONE, "") if found is None else (f"{found.difference:+.3f}", f"({found.interval_text})" if found.low is not None else "")
    )


def _accuracy_gained(row: Row) -> tuple[str, str]:
    return _difference(row.differences.get("accuracy"))


def _without_shortcut(row: Row) -> tuple[str, str]:
    return _number(row.without_shortcut), ""


def _elsewhere(row: Row, metric: str) -> tuple[str, str]:
    if row.elsewhere is None or metric not in row.elsewhere.values:
        return NONE, ""
    mean, low, high = row.elsewhere.values[metric]
    return _number(mean), f"({low:.3f}-{high:.3f})" if high > low else ""
