"""How the MLflow UI first shows the runs: what tells them apart and how good they are as columns, one sweep's alone if asked."""

import json
import time
from urllib.parse import urlencode

from cxr.tracking.search import of_sweep
from cxr.tracking.store import Store, experiment_id

_COLUMNS = [
    "tags.`cxr.role`",
    "params.`freeze.name`",
    "params.`augment.name`",
    "params.`loss.name`",
    "params.`optimizer.name`",
    "params.`optimizer.learning_rate`",
    "params.`training.seed`",
    "metrics.`val/auc_macro_ovr`",
    "metrics.`test/auc_macro_ovr`",
    "metrics.`test/balanced_accuracy`",
    "metrics.`test/covid/sensitivity`",
    "metrics.`test/covid/specificity`",
    "metrics.`vs_baseline/auc_macro_ovr`",
    "tags.`cxr.sweep_id`",
]


def save_view(store: Store, experiment: str, sweep_id: str | None) -> str:
    """Save the view with the experiment, where the UI looks for shared views, and return the page's address below the server's.

    The store has to be open.
    """
    import mlflow

    found = mlflow.get_experiment_by_name(experiment)
    number = str(found.experiment_id) if found else experiment_id(store, experiment)
    key = f"cxr-{sweep_id}" if sweep_id else "cxr"
    state = {
        "selectedColumns": _COLUMNS,
        "searchFilter": of_sweep(sweep_id) if sweep_id else "",
        "orderByKey": "metrics.`val/auc_macro_ovr`" if sweep_id else "attributes.start_time",
        "orderByAsc": False,
    }
    view = {"name": f"Sweep {sweep_id}" if sweep_id else "cxr", "createdAt": int(time.time() * 1000), "state": json.dumps(state)}
    mlflow.MlflowClient().set_experiment_tag(number, f"mlflow.sharedViewState.{key}", json.dumps(view))
    return f"/#/experiments/{number}/runs?{urlencode({'viewStateShareKey': key})}"
