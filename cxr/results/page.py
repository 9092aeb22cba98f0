"""A results table as one HTML page that works offline, and its figure."""

import base64
from collections.abc import Sequence
from pathlib import Path

import jinja2

from cxr.evaluation.estimates import Estimate
from cxr.evaluation.figures.drawing import svg_of
from cxr.evaluation.figures.results import Mark, results_figure
from cxr.results.cells import columns_of, describe_missing, legend_of
from cxr.results.effects import METRIC_NAMES, Effect, paragraph
from cxr.results.presets import about
from cxr.results.table import Row, Table


def write_page(path: Path, table: Table, effects: Sequence[Effect] = ()) -> None:
    """Write the page, with a figure and a paragraph of the effects if there are any."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    columns = columns_of(table)
    rows = [
        {
            "name": row.experiment.name,
            "about": about(row.experiment.preset) if row.experiment.preset else "",
            "runs": ", ".join(each.run.short_id for each in row.experiment.runs),
            "cells": [column.cell(row) for column in columns],
        }
        for row in table.rows
    ]
    page = environment.get_template("table.html.jinja").render(
        columns=columns,
        rows=rows,
        legend=legend_of(table),
        missing=describe_missing(table),
        figure=_embedded([row.experiment.name for row in table.rows], _panels(table), table.reference),
        effects=_embedded([each.name for each in effects], _effects_panels(effects), "", zero=True) if effects else "",
        said=paragraph(effects) if effects else "",
        alt="The values of the table with their 95 % intervals, a panel for each metric and a row for each experiment",
    )
    path.write_text(page, encoding="utf-8")


def _effects_panels(effects: Sequence[Effect]) -> dict[str, Sequence[Mark | None]]:
    """Each change with its interval, a panel for each metric."""
    marks = {
        metric: [Mark(each.changes[metric].value, each.changes[metric].low, each.changes[metric].high) for each in effects]
        for metric in effects[0].changes
    }
    return {f"change of\n{METRIC_NAMES.get(metric, metric)}": found for metric, found in marks.items()}


def _embedded(names: Sequence[str], panels: dict[str, Sequence[Mark | None]], reference: str, zero: bool = False) -> str:
    figure = results_figure(names, panels, reference, zero)
    figure.draw_without_rendering()  # lays it out
    return base64.b64encode(svg_of(figure)).decode()


def _panels(table: Table) -> dict[str, Sequence[Mark | None]]:
    """The values that the figure shows, a panel each, of which at least one row has one."""
    panels: dict[str, Sequence[Mark | None]] = {
        "accuracy": [_mark(row.estimates["accuracy"]) for row in table.rows],
        "macro AUC": [_mark(row.estimates["auc_macro_ovr"]) for row in table.rows],
    }
    for place, point in enumerate(table.rows[0].points):
        title = f"{table.positive} sensitivity\nfor specificity {point.specificity:g}"
        panels[title] = [_mark(row.points[place].rates.sensitivity) if place < len(row.points) else None for row in table.rows]
    panels["macro AUC on\nother surroundings"] = [
        None if row.without_shortcut is None else Mark(row.without_shortcut) for row in table.rows
    ]
    panels["macro AUC elsewhere"] = [_elsewhere(row) for row in table.rows]
    return {title: marks for title, marks in panels.items() if any(marks)}


def _mark(estimate: Estimate) -> Mark | None:
    return None if estimate.value is None else Mark(estimate.value, estimate.low, estimate.high)


def _elsewhere(row: Row) -> Mark | None:
    found = row.elsewhere.values.get("auc_macro_ovr") if row.elsewhere else None
    return Mark(*found) if found else None
