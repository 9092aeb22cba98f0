"""What a machine must share with the one that planned a sweep: each thing that it lacks is a line that names it."""

import fcntl
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from filelock import FileLock

from cxr.errors import UserError
from cxr.sweep.node import LOCK, Planned, check_images, check_node
from cxr.sweep.plan import Plan
from cxr.tracking.store import Store
from tests.other_machine import on_machine

# The other machine is another process, which sees what this one has locked.
ELSEWHERE = """
import pickle, sys
from cxr.errors import UserError
from cxr.sweep.node import check_node
try:
    check_node(pickle.loads(sys.stdin.buffer.read()))
    print("fits")
except UserError as error:
    print(error)
"""

PLAN = Plan("loss-1234", 2, ("loss",), ("plain", "focal"), 2, "val/accuracy", "maximize", "ray")


@pytest.fixture
def planned(tmp_path: Path) -> Iterator[Planned]:
    """A sweep that is planned in a work folder of its own, whose command waits."""
    plan = replace(PLAN, work=str(tmp_path / "work"))
    (tmp_path / "work").mkdir()
    plan.save()
    planned = Planned.here(plan, Store("http://127.0.0.1:1", None, tmp_path / "work"), [])
    with FileLock(planned.folder / LOCK):
        yield planned


def answer_elsewhere(planned: Planned, machine: Sequence[str] = ()) -> str:
    command = [*machine, sys.executable, "-c", ELSEWHERE]
    done = subprocess.run(command, input=pickle.dumps(planned), capture_output=True, check=True, timeout=60)
    return done.stdout.decode().strip()


def test_missing_or_other_folder_is_refused(planned: Planned, tmp_path: Path) -> None:
    token = tmp_path / "work/folder.token"
    (tmp_path / "work").rename(tmp_path / "unmounted")
    with pytest.raises(UserError, match=f"has no folder at {tmp_path / 'work'}, which all machines of a sweep have to share"):
        check_node(planned)
    token.parent.mkdir()
    with pytest.raises(UserError, match="has another folder at"):
        check_node(planned)
    token.write_text("of another disk")
    with pytest.raises(UserError, match="has another folder at"):
        check_node(planned)


def test_disk_without_locks_is_refused(planned: Planned) -> None:
    assert answer_elsewhere(planned) == "fits"
    unheld = replace(planned, folder=planned.folder.parent)  # nobody holds the lock there: as where it is not seen
    assert "does not see locks of other machines" in answer_elsewhere(unheld)


def test_jobs_of_slurm_need_locks_between_machines(planned: Planned, tmp_path: Path) -> None:
    """The command has left, so its disk has to show them; a job that finds it waiting sees its lock."""
    on_slurm = replace(planned, has_lock=False)
    left = replace(on_slurm, folder=planned.folder.parent)
    assert answer_elsewhere(left) == "fits"  # the same machine
    other, lacks = on_machine("other", tmp_path), "other does not see locks of other machines"
    assert answer_elsewhere(on_slurm, other) == "fits"
    assert lacks in answer_elsewhere(left, other)
    assert lacks in answer_elsewhere(on_slurm, on_machine("other", tmp_path, [planned.folder / "planning.lock"]))


def test_shared_lock_of_a_job_is_not_that_of_the_command(planned: Planned) -> None:
    unheld = replace(planned, folder=planned.folder.parent)
    (unheld.folder / LOCK).touch()
    with (unheld.folder / LOCK).open("rb") as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)
        assert "does not see locks of other machines" in answer_elsewhere(unheld)


def test_queue_on_a_disk_without_locks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")  # so that the disk is not known
    plan = replace(PLAN, launcher="slurm", waits=False, work=str(tmp_path))
    with pytest.raises(UserError, match="nothing shows that machines see each other's locks"):
        Planned.here(plan, Store("http://127.0.0.1:1", None, tmp_path), [])
    assert not list(tmp_path.iterdir())
    Planned.here(replace(plan, waits=True), Store("http://127.0.0.1:1", None, tmp_path), [])


def test_other_version_is_refused_by_name(planned: Planned) -> None:
    for name in ("cxr", "keras"):
        answer = answer_elsewhere(replace(planned, software={**planned.software, name: "0.0.1"}))
        assert f"has {name} {planned.software[name]}, and the sweep was planned with 0.0.1: install that one" in answer


def test_other_images_are_refused(planned: Planned) -> None:
    mine: Any = SimpleNamespace(fingerprints={"cxr.data_fingerprint": "abc"}, root=Path("/images"))
    check_images(replace(planned, data=("xyz", "abc")), 1, mine)
    check_images(planned, 1, mine)  # of a search nothing is known before
    with pytest.raises(UserError, match="has other images in /images than the machine that planned the sweep"):
        check_images(replace(planned, data=("xyz", "abc")), 0, mine)
