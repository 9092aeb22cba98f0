"""A results table as one HTML page, with figures of the table and of effects."""

from collections.abc import Sequence
from pathlib import Path

from cxr.compare.cells import columns_of, describe_missing, legend_of, specificities_of
from cxr.compare.effects import METRIC_NAMES, Effect, describe_effects
from cxr.compare.presets import about
from cxr.compare.table import Row, Table
from cxr.evaluation.estimates import PERCENT, Estimate
from cxr.evaluation.figures.results import results_figure
from cxr.evaluation.metrics import WITHOUT_SHORTCUT
from cxr.evaluation.report.rendering import chart_uri, render


def write_page(path: Path, table: Table, effects: Sequence[Effect] = ()) -> None:
    """Write the page, with a figure and a paragraph of the effects if there are any."""
    columns = columns_of(table)
    rows = [
        {
            "name": row.experiment.name,
            "about": about(row.experiment.preset) if row.experiment.preset else "",
            "runs": ", ".join(evaluated.run.short_id for evaluated in row.experiment.runs),
            "cells": [column.cell(row) for column in columns],
        }
        for row in table.rows
    ]
    names = [row.experiment.name for row in table.rows]
    page = render(
        Path(__file__).with_name("results.html.jinja"),
        columns=columns,
        rows=rows,
        legend=legend_of(table),
        missing=describe_missing(table),
        figure=chart_uri(results_figure(names, _panels(table), table.reference)),
        effects=_effects_chart(effects) if effects else "",
        paragraph=describe_effects(effects) if effects else "",
        alt=f"The values of the table with their {PERCENT} intervals, a panel for each metric and a row for each experiment",
    )
    path.write_text(page, encoding="utf-8")


def _effects_chart(effects: Sequence[Effect]) -> str:
    """Each change with its interval, a panel for each metric, as a `src`."""
    panels: dict[str, Sequence[Estimate]] = {
        f"change of\n{METRIC_NAMES.get(metric, metric)}": [Estimate(**vars(effect.changes[metric])) for effect in effects]
        for metric in effects[0].changes
    }
    return chart_uri(results_figure([effect.name for effect in effects], panels, "", zero=True))


def _panels(table: Table) -> dict[str, Sequence[Estimate]]:
    """The values that the figure shows, a panel each, of which at least one row has one."""
    names = {"accuracy": "accuracy", "macro AUC": "auc_macro_ovr"}
    for specificity in specificities_of(table):
        title = f"{table.positive} sensitivity\nfor specificity {specificity:g}"
        names[title] = f"at_specificity_{specificity:g}/sensitivity"
    names |= {"macro AUC on\nother backgrounds": WITHOUT_SHORTCUT, "macro AUC elsewhere": "external/auc_macro_ovr"}
    return {title: [_mark(row, name) for row in table.rows] for title, name in names.items() if table.knows(name)}


def _mark(row: Row, name: str) -> Estimate:
    ends = ("_lowest_run", "_highest_run") if name.startswith("external/") else ("_lo", "_hi")
    value, low, high = (row.values.get(f"{name}{end}") for end in ("", *ends))
    return Estimate(value, low, high)
