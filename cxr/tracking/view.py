"""The first view of the runs in the MLflow UI: options and metrics as columns, and with a sweep its runs only."""

import json
import time
from collections.abc import Sequence
from urllib.parse import urlencode

from cxr.tracking.search import of_sweep
from cxr.tracking.store import Store, experiment_id

_PARAMS = ("freeze.name", "augment.name", "loss.name", "optimizer.name", "optimizer.learning_rate", "training.seed")


def save_view(store: Store, experiment: str, sweep_id: str | None, objective: str, metrics: Sequence[str]) -> str:
    """Save the view with the experiment, where the UI looks for shared views. Return the address of its page, below the server's.

    Its columns are the role, the options, the `objective` and the other `metrics`; a sweep is ordered by the objective. The store
    has to be open.
    """
    import mlflow

    found = mlflow.get_experiment_by_name(experiment)
    number = str(found.experiment_id) if found else experiment_id(store, experiment)
    key = f"cxr-{sweep_id}" if sweep_id else "cxr"
    columns = [f"params.`{name}`" for name in _PARAMS] + [f"metrics.`{name}`" for name in (objective, *metrics)]
    state = {
        "selectedColumns": ["tags.`cxr.role`", *columns, "tags.`cxr.sweep_id`"],
        "searchFilter": of_sweep(sweep_id) if sweep_id else "",
        "orderByKey": f"metrics.`{objective}`" if sweep_id else "attributes.start_time",
        "orderByAsc": False,
    }
    view = {"name": f"Sweep {sweep_id}" if sweep_id else "cxr", "createdAt": int(time.time() * 1000), "state": json.dumps(state)}
    mlflow.MlflowClient().set_experiment_tag(number, f"mlflow.sharedViewState.{key}", json.dumps(view))
    return f"/#/experiments/{number}/runs?{urlencode({'viewStateShareKey': key})}"
