"""The environment of a run: code version, packages, machine. Read once for each process."""

import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, distributions
from pathlib import Path

from cxr.system import cores

REPOSITORY = Path(__file__).resolve().parents[2]
_CODE = ("cxr", "conf", "scripts", "pyproject.toml")


@dataclass(frozen=True)
class CodeVersion:
    """The git commit of the code that runs, and whether files differed from it; both unknown outside a checkout."""

    commit: str | None
    dirty: bool | None


@cache
def code_version() -> CodeVersion:
    """Run git in the checkout of this package, from any current folder."""
    if not (REPOSITORY / ".git").exists():
        return CodeVersion(None, None)
    commit = (_git("rev-parse", "HEAD") or "").strip()
    status = _git("status", "--porcelain", "--", *_CODE)
    return CodeVersion(commit or None, None if status is None else bool(status))


def code_tags() -> dict[str, str | None]:
    """The tags cxr.git_commit and cxr.git_dirty ("true" or "false"); None for unknown ones."""
    code = code_version()
    return {"cxr.git_commit": code.commit, "cxr.git_dirty": None if code.dirty is None else str(code.dirty).lower()}


@cache
def uncommitted_changes() -> str:
    """The difference of the running code from its commit, as a diff for `git apply`, with untracked files of the code.

    Only the project's own folders are included, no other files of the checkout.
    """
    if not (REPOSITORY / ".git").exists():
        return ""
    changed = _git("diff", "HEAD", "--binary", "--", *_CODE) or ""
    added = (_git("ls-files", "--others", "--exclude-standard", "-z", "--", *_CODE) or "").split("\0")
    for name in sorted(filter(None, added)):
        changed += _git("diff", "--no-index", "--binary", "--", "/dev/null", name, fine=(0, 1)) or ""
    return changed


def lock_of_code() -> str | None:
    """The lock file that this checkout's environment is made from; none for an installed wheel."""
    lock = REPOSITORY / "scripts/locks/run.txt"
    return lock.read_text() if lock.is_file() else None


@cache
def packages() -> str:
    """Every installed distribution as NAME==VERSION, a line each, sorted."""
    fields = [(_field(package, "Name").lower(), _field(package, "Version")) for package in distributions()]
    versions = {name: version for name, version in fields if name and version}
    return "".join(f"{name}=={version}\n" for name, version in sorted(versions.items()))


def machine() -> dict[str, str | int]:
    """Python, system and cores; no host or user name."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cores": cores(),
    }


def _field(package: Distribution, key: str) -> str:
    """A field of a package's metadata; "" where an interrupted installation left no readable one."""
    try:
        return str(package.metadata[key] or "")  # None, or an error in later Pythons, for a field that is missing
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""


def _git(*arguments: str, fine: tuple[int, ...] = (0,)) -> str | None:
    try:
        command = ["git", "-C", str(REPOSITORY), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode in fine else None
