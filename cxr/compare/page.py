"""A comparison as one HTML page: tables, figures, and images that only one run classifies correctly."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from cxr.compare.runs import Comparison, describe_evaluated_part, name_with_id
from cxr.compare.seeds import INTERVALS
from cxr.evaluation.estimates import PERCENT
from cxr.evaluation.figures.comparison import runs_figure
from cxr.evaluation.paired import disagreements
from cxr.evaluation.report.rendering import chart_uri, render

SHOWN = 100  # images of a run's disagreements; the CSV has all


def write_comparison(path: Path, comparison: Comparison, seeds: Sequence[tuple[str, pd.DataFrame]], settings: pd.DataFrame) -> None:
    """Write the page.

    Args:
        seeds: titles, and tables of `seed_differences`.
        settings: the config's values that differ, a column a run.
    """
    reference = comparison.reference
    name = name_with_id(reference.run)
    runs: list[dict[str, Any]] = [
        {
            "title": name_with_id(other.run),
            "differences": differences,
            "images": disagreements(reference.predictions, other.predictions),
        }
        for other, differences in zip(comparison.others, comparison.differences, strict=True)
    ]
    page = render(
        Path(__file__).with_name("comparison.html.jinja"),
        reference=name,
        evaluated=describe_evaluated_part(reference),
        runs=runs,
        shown=SHOWN,
        primary=comparison.primary,
        names=[name, *(run["title"] for run in runs)],
        settings=[(str(key), [str(value) for value in row]) for key, row in settings.iterrows()],
        seeds=[(title, [(str(metric), row) for metric, row in table.iterrows()]) for title, table in seeds],
        intervals=INTERVALS,
        percent=PERCENT,
        figure=chart_uri(runs_figure({run["title"]: run["differences"] for run in runs}, f"Difference from {name}")),
    )
    path.write_text(page, encoding="utf-8")
