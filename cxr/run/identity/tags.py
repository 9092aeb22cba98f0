"""The name and the tags of a run in the store."""

from cxr.run.prepared import PreparedRun
from cxr.tracking.environment import code_tags

_USUAL_BACKBONES = ("phantom", "mobilenet_v2", None)


def run_name(prepared: PreparedRun) -> str:
    """A short readable name: what differs in a sweep, the preset, or the options of the groups that matter most."""
    if prepared.config.tracking.run_name:
        return prepared.config.tracking.run_name
    if prepared.provenance.job:
        return prepared.provenance.job.name
    choices = prepared.provenance.choices
    if choices.get("experiment", "None") != "None":
        return choices["experiment"]
    own = [] if choices.get("backbone") in _USUAL_BACKBONES else [choices.get("backbone", "?")]
    return "-".join([*own, *(choices.get(group, "?") for group in ("freeze", "augment", "loss", "optimizer"))])


def run_tags(prepared: PreparedRun) -> dict[str, str | None]:
    """The cxr.* tags of a run; an unknown value is None."""
    job = prepared.provenance.job
    return prepared.fingerprints | {
        "cxr.role": prepared.config.tracking.role,
        "cxr.judged_on": prepared.dataset.parts[-1],
        "cxr.weights_sha256": prepared.weights.sha256,
        "cxr.sweep_id": job.sweep_id if job else None,
        "cxr.sweep_jobs": str(job.count) if job else None,
        "cxr.launcher": job.launcher if job else None,
        "cxr.reproduces": prepared.provenance.reproduces,
        **code_tags(),
    }
