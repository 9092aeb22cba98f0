"""A comparison as one HTML page that works offline: tables, figures, and images that only one run classifies correctly."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from cxr.compare.runs import Comparison, describe_evaluated_part, name_with_id
from cxr.compare.seeds import INTERVALS
from cxr.evaluation.figures.comparison import runs_figure
from cxr.evaluation.figures.drawing import svg_of
from cxr.evaluation.paired import Difference, disagreements

SHOWN = 100  # images of a run's disagreements; the CSV has all


def write_comparison(path: Path, comparison: Comparison, seeds: Sequence[tuple[str, pd.DataFrame]], settings: pd.DataFrame) -> None:
    """Write the page; `seeds` are tables of `seed_differences`, `settings` the config's values that differ, a column a run."""
    reference = comparison.reference
    runs: list[dict[str, Any]] = [
        {
            "title": name_with_id(other.run),
            "differences": differences,
            "images": disagreements(reference.predictions, other.predictions),
        }
        for other, differences in zip(comparison.others, comparison.differences, strict=True)
    ]
    named: dict[str, Sequence[Difference]] = {run["title"]: run["differences"] for run in runs}
    figure = runs_figure(named, f"Difference from {name_with_id(reference.run)}")
    figure.draw_without_rendering()  # lays it out
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("page.html.jinja").render(
        reference=name_with_id(reference.run),
        evaluated=describe_evaluated_part(reference),
        runs=runs,
        shown=SHOWN,
        primary=comparison.primary,
        names=[name_with_id(reference.run), *(run["title"] for run in runs)],
        settings=[(str(key), [str(value) for value in row]) for key, row in settings.iterrows()],
        seeds=[(title, [(str(metric), row) for metric, row in table.iterrows()]) for title, table in seeds],
        intervals=INTERVALS,
        figure=base64.b64encode(svg_of(figure)).decode(),
    )
    path.write_text(page, encoding="utf-8")
