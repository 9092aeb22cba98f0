"""Training of several heads side by side: each job of the group then resumes after its last epoch, as after an interruption."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from cxr.model.network import build_network
from cxr.progress import Progress
from cxr.run.fit.groups import SideBySide
from cxr.run.fit.train import computing, loss_of, training_set
from cxr.run.identity.attempt import folder_name
from cxr.run.prepared import PreparedRun
from cxr.text import pluralize
from cxr.tracking.store import work_folder
from cxr.tracking.unfinished import Unfinished, claim
from cxr.training.checkpoint import save
from cxr.training.fit import Watcher
from cxr.training.heads import fit_heads
from cxr.training.history import FrozenWork


class _IsHeld(Exception):
    """Another process does this job."""


def train_heads(group: Sequence[PreparedRun], progress: Progress) -> None:
    """Train all of a group, and leave the checkpoint of a training after its last epoch for each of its jobs.

    Jobs that another process does, or that an earlier attempt began, are left out, and so is a job whose loss is not finite:
    each of these trains on its own. `progress` is of this group alone.
    """
    claims = [(prepared, held) for prepared in group if (held := _claimed(prepared)) is not None]
    try:
        if len(claims) > 1:
            _train(claims, progress)
    finally:
        for _, held in claims:
            held.let_go() if held.can_resume else held.remove()


def _train(claims: Sequence[tuple[PreparedRun, Unfinished]], progress: Progress) -> None:
    first, _ = claims[0]
    assert first.cache is not None
    config, work = first.config, FrozenWork()
    with progress.timed("train"):
        network = build_network(config.backbone, len(first.dataset.classes), first.weights, config.training.seed, config.prepare)
    data, jobs = training_set(first, progress), [(prepared.config, loss_of(prepared)) for prepared, _ in claims]
    with progress.stage("train", f"Training {len(jobs)} heads side by side on {pluralize(len(data.train), 'image')}") as update:
        watcher = Watcher(on_images=update, computing=partial(computing, progress, update))
        states = fit_heads(network, data, jobs, first.cache, watcher, work)
    note = SideBySide(len(jobs), progress.seconds["train"], progress.seconds.get("frozen", 0.0), work.computed)
    for (_, held), state in zip(claims, states, strict=True):
        if state is not None:
            note.write(held.folder)
            save(state, held.checkpoint)
        note = replace(note, frozen=0.0, computed=0)  # the first job accounts for the frozen part, as in a sweep one by one


def _claimed(prepared: PreparedRun) -> Unfinished | None:
    def refuse() -> None:
        raise _IsHeld

    try:
        held = claim(folder_name(prepared), fresh=False, on_wait=refuse, work=work_folder(prepared.config.work))
    except _IsHeld:
        return None
    if held.can_resume:
        held.let_go()
        return None
    return held
