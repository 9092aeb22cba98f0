"""Processes as other processes and machines see them, and which machines see each other's locks in a folder."""

import os
import socket
import subprocess
from pathlib import Path

TAG = "cxr.process"  # of the process that does a run: its machine, its number and when it began
# File systems whose locks all machines see, with the option of the mount that says so.
_SHARED = {"nfs": "local_lock=none", "nfs4": "local_lock=none", "lustre": "flock", "ceph": ""}
_LOCAL = ("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "tmpfs", "overlay")  # of one machine


def this_process() -> str:
    """A name of this process that no other process has: machine, number, and start in ticks of the kernel."""
    return f"{_machine()} {os.getpid()} {_start_of(os.getpid()) or '-'}"


def is_alive(process: str) -> bool | None:
    """Whether a process of this machine lives; None for one of another machine, and where this system does not say."""
    machine, _, rest = process.partition(" ")
    number, _, start = rest.partition(" ")
    if machine != _machine() or not number.isdigit() or start in ("", "-"):
        return None
    try:
        os.kill(int(number), 0)  # signal 0 only asks whether there is such a process
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return _start_of(int(number)) in (start, None)


def lock_reach(folder: Path) -> str:
    """The same on two machines that see this folder only if it is certain that they see each other's locks in it."""
    command = ["findmnt", "--noheadings", "--output", "FSTYPE,OPTIONS", "--target", str(folder)]
    try:
        mount = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        mount = ""
    return _reach_of(*(mount.split() or [""])[:2])


def reaches_this_machine_alone(reach: str) -> bool:
    """Whether no other machine is certain to see the locks."""
    return reach == _machine()


def _reach_of(kind: str, options: str = "") -> str:
    """`lock_reach` on a file system of a kind, mounted with options."""
    if kind in _SHARED and (not _SHARED[kind] or _SHARED[kind] in options.split(",")):
        return kind.rstrip("4")
    return socket.gethostname() if kind in _LOCAL else _machine()


def _machine() -> str:
    """The name of this machine, the run of its kernel, and the table in which its processes have their numbers."""
    try:
        kernel, table = Path("/proc/sys/kernel/random/boot_id").read_text().strip(), Path("/proc/self/ns/pid").stat().st_ino
    except OSError:  # not Linux
        return socket.gethostname()
    return f"{socket.gethostname()}/{kernel}/{table}"


def _start_of(number: int) -> str | None:
    """When a process began, in ticks since the kernel did; "" for one that has ended, None where the system does not say."""
    try:
        state, *fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return "" if state in "ZX" else fields[18]
