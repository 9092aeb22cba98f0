"""The frozen-head baseline that a run is compared with: the latest one on the same data and split."""

from cxr.tracking.search import LoggedRun, finished_runs

ROLE = {"cxr.role": "baseline"}
SAME = ("cxr.data_fingerprint", "cxr.split_fingerprint", "cxr.judged_on")


def baselines_like(run: LoggedRun) -> list[LoggedRun]:
    """Finished baselines on the same data and split, latest first. The store has to be open."""
    if not all(name in run.tags for name in SAME):
        return []
    return finished_runs({**ROLE, **{name: run.tags[name] for name in SAME}})
