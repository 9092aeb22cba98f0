"""The stage that a run has reached, as its own tag, because MLflow's status alone is not reliable."""

from collections.abc import Mapping

TAG = "cxr.stage"
STARTED = "started"  # config, data and environment are in the store
TRAINED = "trained"  # model and predictions are in the store: training is never repeated
ASSESSED = "assessed"  # so are the metrics
FINISHED = "finished"  # so is everything: written last

HOLDS_TRAINING = (TRAINED, ASSESSED, FINISHED)


def is_finished(status: str, tags: Mapping[str, str], metrics: Mapping[str, float]) -> bool:
    """Whether a run is complete: by its own last mark, or for runs of an earlier cxr by their headline metric.

    MLflow marks a run FINISHED when its process ends, even after a failure.

    >>> is_finished("FINISHED", {"cxr.stage": "trained"}, {}), is_finished("FINISHED", {"cxr.stage": "finished"}, {})
    (False, True)
    """
    if status != "FINISHED":
        return False
    if TAG in tags:
        return tags[TAG] == FINISHED
    return "cxr.judged_on" not in tags or f"{tags['cxr.judged_on']}/accuracy" in metrics
