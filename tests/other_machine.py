"""Another machine that has the disks of this one: a name and a kernel of its own, and on request locks of its own."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest


def on_machine(name: str, folder: Path, own_locks: Sequence[Path] = ()) -> list[str]:
    """The beginning of a command that runs on it; `folder` keeps what it needs.

    Locks in `own_locks` are not seen elsewhere, as on a disk that is mounted without locks between machines.
    """
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "--uts", "true"], check=False, capture_output=True).returncode:
        pytest.skip("needs mounts of its own, which an administrator can make")
    kernel = folder / f"{name}.kernel"
    kernel.write_text(f"{uuid4()}\n")
    mounts = {kernel: Path("/proc/sys/kernel/random/boot_id")}
    for number, lock in enumerate(own_locks):
        lock.parent.mkdir(parents=True, exist_ok=True)
        own = folder / f"{name}-{number}.lock"
        own.touch()
        lock.touch()
        mounts[own] = lock
    steps = [f"hostname {name}", *(f"mount --bind '{own}' '{place}'" for own, place in mounts.items()), 'exec "$@"']
    return ["unshare", "--mount", "--uts", "sh", "-c", " && ".join(steps), "sh"]
