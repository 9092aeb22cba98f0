"""The stage that a run has reached, as its own tag, because MLflow's status alone is not reliable."""

from collections.abc import Mapping

TAG = "cxr.stage"
STARTED = "started"  # config, data and environment are in the store
TRAINED = "trained"  # so are the model and the predictions: training need not be done again, whatever happens
ASSESSED = "assessed"  # so are the metrics
FINISHED = "finished"  # so is everything: written last

HOLDS_TRAINING = (TRAINED, ASSESSED, FINISHED)


def is_finished(status: str, tags: Mapping[str, str], metrics: Mapping[str, float]) -> bool:
    """Whether a run has said everything: by its own last mark, and where an earlier cxr set none, by its headline metric.

    MLflow ends a run as FINISHED when its process ends, whatever came of it.

    >>> is_finished("FINISHED", {"cxr.stage": "trained"}, {}), is_finished("FINISHED", {"cxr.stage": "finished"}, {})
    (False, True)
    """
    if status != "FINISHED":
        return False
    if TAG in tags:
        return tags[TAG] == FINISHED
    return "cxr.judged_on" not in tags or f"{tags['cxr.judged_on']}/accuracy" in metrics
