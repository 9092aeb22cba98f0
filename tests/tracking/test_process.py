"""Which processes live, and which machines are certain to see each other's locks."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cxr.tracking.process import _machine, _reach_of, is_alive, lock_reach, reaches_this_machine_alone, this_process
from tests.other_machine import on_machine

PROCESS = "import sys; from cxr.tracking.process import this_process; print(this_process(), flush=True); sys.stdin.read()"


def test_a_process_lives_until_it_ends() -> None:
    with subprocess.Popen([sys.executable, "-c", PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        assert is_alive(name)
        assert is_alive(this_process())
        process.kill()
        process.wait(30)
    assert is_alive(name) is False


def test_a_later_process_of_the_same_number_is_another() -> None:
    machine, number, start = this_process().rsplit(" ", 2)
    assert is_alive(f"{machine} {number} {int(start) - 1}") is False


@pytest.mark.parametrize("name", ["", "somewhere", "elsewhere/1/2 17 4", f"{_machine()} x 4", f"{_machine()} 17 -"])
def test_of_other_machines_nothing_is_known(name: str) -> None:
    assert is_alive(name) is None


def test_another_machine_has_other_processes(tmp_path: Path) -> None:
    command = [*on_machine("other", tmp_path), sys.executable, "-c", PROCESS]
    done = subprocess.run(command, input="", capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("other/")
    assert is_alive(done.stdout.strip()) is None


@pytest.mark.parametrize(
    ("kind", "options", "reach"),
    [
        ("nfs4", "rw,relatime,vers=4.2,rsize=1048576,hard,proto=tcp,sec=sys,local_lock=none,addr=10.0.0.1", "nfs"),
        ("nfs", "rw,relatime,vers=3,hard,proto=tcp,mountproto=udp,local_lock=none,addr=10.0.0.1", "nfs"),
        ("nfs", "rw,relatime,vers=3,hard,nolock,proto=tcp,local_lock=all,addr=10.0.0.1", None),
        ("lustre", "rw,flock,user_xattr,lazystatfs", "lustre"),
        ("lustre", "rw,localflock,lazystatfs", None),
        ("lustre", "rw,noflock,lazystatfs", None),
        ("ceph", "rw,relatime,name=admin,acl", "ceph"),
        ("fuse.sshfs", "rw,nosuid,nodev", None),
        ("beegfs", "rw,relatime,cfgFile=/etc/beegfs/beegfs-client.conf", None),
        ("", "", None),
        ("ext4", "rw,relatime", socket.gethostname()),
    ],
)
def test_locks_reach_other_machines_where_the_mount_says_so(kind: str, options: str, reach: str | None) -> None:
    assert _reach_of(kind, options) == (reach or _machine())
    assert reaches_this_machine_alone(_reach_of(kind, options)) == (reach is None)


def test_a_disk_that_can_not_be_looked_up_has_locks_of_this_machine_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert reaches_this_machine_alone(lock_reach(tmp_path / "missing"))
    monkeypatch.setenv("PATH", "/nowhere")
    assert reaches_this_machine_alone(lock_reach(tmp_path))
