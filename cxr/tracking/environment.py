"""What a run was made with: code version, packages, machine."""

import platform
import subprocess
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from cxr.cores import cores

_REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class CodeVersion:
    """The git commit of the code that runs, and whether files differed from it; both unknown outside a checkout."""

    commit: str | None
    dirty: bool | None


def code_version() -> CodeVersion:
    """Ask git about the checkout that this package lies in, whatever folder the user is in."""
    if not (_REPOSITORY / ".git").exists():
        return CodeVersion(None, None)
    commit = _git("rev-parse", "HEAD")
    status = _git("status", "--porcelain")
    return CodeVersion(commit or None, None if status is None else bool(status))


def packages() -> str:
    """Every installed distribution as NAME==VERSION, a line each, sorted."""
    found = {(item.metadata["Name"].lower(), item.version) for item in distributions()}
    return "".join(f"{name}=={version}\n" for name, version in sorted(found))


def machine() -> dict[str, str | int]:
    """Python, system and cores; no host or user name."""
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "cores": cores(),
    }


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(_REPOSITORY), *arguments], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
