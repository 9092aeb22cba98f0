"""The first view of the runs in the MLflow UI: options and metrics as columns, and with a sweep its runs only."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from cxr.errors import UserError
from cxr.text import nearest
from cxr.tracking.internals import SHARED_VIEW
from cxr.tracking.search import of_sweep

_PARAMS = ("freeze.name", "augment.name", "loss.name", "optimizer.name", "optimizer.learning_rate", "training.seed")
_SECTION = "cxr-at-a-glance"
TRAININGS = "tags.`cxr.role` != 'evaluation'"  # evaluations of a run are below it, and in a view of their own
EVALUATIONS = "tags.`cxr.role` = 'evaluation'"


@dataclass(frozen=True)
class View:
    """A shared view: its key in the address, its name, a filter of runs, and metrics, the first of which orders a sweep."""

    key: str
    name: str
    shown: str
    metrics: tuple[str, ...]
    by_metric: bool = False


def view_of(sweep_id: str | None, metrics: Sequence[str]) -> View:
    """All trainings, or those of a sweep."""
    if sweep_id:
        return View(f"cxr-{sweep_id}", f"Sweep {sweep_id}", of_sweep(sweep_id), tuple(metrics), by_metric=True)
    return View("cxr", "cxr", TRAININGS, tuple(metrics))


def save_view(experiment: str, view: View) -> str:
    """Save a view with the experiment, where the UI looks for shared views. Return the address of its page, below the server's.

    Its columns are the role, the options and the metrics. Its charts begin with parallel coordinates of options and metrics, and a
    bar for each metric. The store has to be open.

    Raises:
        UserError: The experiment does not exist.
    """
    import mlflow

    client = mlflow.MlflowClient()
    known = {entry.name: str(entry.experiment_id) for entry in client.search_experiments()}
    if experiment not in known:
        raise UserError(f"there is no MLflow experiment {experiment}: {nearest(experiment, known)}")
    columns = [*(f"params.`{name}`" for name in _PARAMS), *(f"metrics.`{name}`" for name in view.metrics)]
    state = {
        "selectedColumns": ["tags.`cxr.role`", *columns, "tags.`cxr.sweep_id`"],
        "searchFilter": view.shown,
        "orderByKey": f"metrics.`{view.metrics[0]}`" if view.by_metric else "attributes.start_time",
        "orderByAsc": False,
        "compareRunSections": [_entry(uuid=_SECTION, name="At a glance", display=True, isReordered=False)],
        "compareRunCharts": _charts(view.metrics),
        "isAccordionReordered": True,
    }
    shared = {"name": view.name, "createdAt": int(time.time() * 1000), "state": json.dumps(state)}
    client.set_experiment_tag(known[experiment], f"{SHARED_VIEW}{view.key}", json.dumps(shared))
    return f"/#/experiments/{known[experiment]}/runs?{urlencode({'viewStateShareKey': view.key})}"


def _charts(metrics: Sequence[str]) -> list[dict[str, Any]]:
    place = {"metricSectionId": _SECTION, "runsCountToCompare": 100}
    lines = _entry(
        type="PARALLEL",
        uuid="cxr-parallel",
        selectedParams=list(_PARAMS[:4]),
        selectedMetrics=list(metrics),
        showAllRuns=False,
        **place,
    )
    bars = [_entry(type="BAR", uuid=f"cxr-bar-{number}", metricKey=name, **place) for number, name in enumerate(metrics)]
    return [lines, *bars]


def _entry(**values: Any) -> dict[str, Any]:
    return {"deleted": False, "isGenerated": False, **values}
