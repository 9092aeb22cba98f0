"""What a machine must have in common with the one that planned a sweep: shared folders and their locks, images, versions."""

import fcntl
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

from cxr.errors import UserError
from cxr.run.prepared import PreparedRun
from cxr.stages.code import code_fingerprint, library_versions
from cxr.sweep.plan import Plan
from cxr.tracking.process import lock_reach, reaches_this_machine_alone
from cxr.tracking.store import Store

_TOKEN = "folder.token"  # noqa: S105 (tells one folder from another of the same name; no secret)
_ON_ITS_OWN = "slurm"  # its jobs continue after the command that queued them
_WITH_LOCKS = "mount that disk with locks (NFS 4, flock on Lustre, or Ceph)"
_OR_WAIT = ", or let the command wait (cxr -m hydra/launcher=slurm)"
LOCK = "planning.lock"  # held in the sweep's folder while the command that planned it waits


@dataclass(frozen=True)
class Planned:
    """What the machine that planned a sweep has."""

    folder: Path  # of the sweep
    tokens: tuple[tuple[str, str], ...]  # of the shared folders
    has_lock: bool  # whether jobs end with the command, which holds a lock as long as it waits
    lock_reach: str  # which machines are certain to see locks in the folder, also when the command has ended
    software: dict[str, str]  # versions of cxr, with its code, and of libraries
    data: tuple[str, ...]  # fingerprint of the images of each job; none for a search

    @staticmethod
    def here(plan: Plan, store: Store, prepared_jobs: Sequence[PreparedRun]) -> "Planned":
        """As it is on this machine. Writes a token into each folder that other machines have to see.

        Raises:
            UserError: Jobs continue without the command, on a disk that may have no locks between machines.
        """
        has_lock, reach = plan.launcher != _ON_ITS_OWN, lock_reach(plan.folder)
        if not has_lock and not plan.waits and reaches_this_machine_alone(reach):
            raise UserError(
                f"nothing shows that machines see each other's locks in {plan.folder.resolve()}, so two jobs could take the same "
                f"run: {_WITH_LOCKS}{_OR_WAIT}"
            )
        folders = [store.work]
        if store.folder and store.folder != store.work.resolve() and not store.is_of_this_machine:
            folders.append(store.folder)
        return Planned(
            plan.folder.resolve(),
            tuple((str(folder.resolve()), _token_of(folder)) for folder in folders),
            has_lock,
            reach,
            _software(),
            tuple(prepared.fingerprints["cxr.data_fingerprint"] for prepared in prepared_jobs),
        )


def check_node(planned: Planned) -> None:
    """Raise `UserError` where this machine sees other folders, no locks of other machines, or has another cxr."""
    here = socket.gethostname()
    for folder, token in planned.tokens:
        here_is = ""
        with suppress(OSError):
            here_is = (Path(folder) / _TOKEN).read_text()
        if here_is != token:
            what = "another folder" if Path(folder).is_dir() else "no folder"
            raise UserError(f"{here} has {what} at {folder}, which all machines of a sweep have to share: name one as work.dir")
    certain = not planned.has_lock and lock_reach(planned.folder) == planned.lock_reach
    if not certain and not _is_held(planned.folder / LOCK):
        raise UserError(
            f"{here} does not see locks of other machines in {planned.folder}, so two jobs could take the same run: "
            f"{_WITH_LOCKS}{'' if planned.has_lock else _OR_WAIT}"
        )
    for name, mine in _software().items():
        if mine != (theirs := planned.software.get(name)):
            planned_with = f"the sweep was planned with {theirs or 'none'}: install that one"
            raise UserError(f"{here} has {name} {mine or 'missing'}, and {planned_with}")


def _software() -> dict[str, str]:
    return {"cxr": f"{version('cxr')} (code {code_fingerprint()})", **library_versions()}


def check_images(planned: Planned, number: int, prepared: PreparedRun) -> None:
    """Raise `UserError` where a job has other images on this machine."""
    if planned.data and prepared.fingerprints["cxr.data_fingerprint"] != planned.data[number]:
        raise UserError(
            f"{socket.gethostname()} has other images in {prepared.root} than the machine that planned the sweep: copy them, or "
            "name the folder by a variable of each machine (data.root='${oc.env:NAME}')"
        )


def _token_of(folder: Path) -> str:
    """The token of a folder, made if it has none."""
    folder.mkdir(exist_ok=True, mode=0o700)
    with suppress(FileExistsError), (folder / _TOKEN).open("x") as file:
        file.write(uuid4().hex)
    return (folder / _TOKEN).read_text()


def _is_held(lock: Path) -> bool:
    """Whether another process holds a lock. A shared one is tried, so that two processes which try at once are no holders."""
    with suppress(OSError), lock.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
