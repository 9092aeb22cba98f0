"""What differs today from the day of a run: code, packages, machine, images, weights."""

from dataclasses import dataclass

import pandas as pd

from cxr.run.logged import Logged
from cxr.stages.code import code_fingerprint
from cxr.text import pluralize
from cxr.tracking.environment import code_version, machine, packages, uncommitted_changes

# Versions that decide numbers come first, and only they are named one by one.
_NUMERIC = ("tensorflow", "keras", "numpy", "scipy", "pillow", "scikit-learn", "pandas", "h5py", "cxr")
_DECIDES = ("python", "architecture")


@dataclass(frozen=True)
class EnvironmentChange:
    """One thing that differs, in words; `decides` where it may change the result."""

    what: str
    text: str
    decides: bool = True


def code_changes(logged: Logged) -> list[EnvironmentChange]:
    """Commit, uncommitted changes, and the package's own source."""
    tags, now, found = logged.run.tags, code_version(), []
    same_source = tags.get("cxr.code_fingerprint") == code_fingerprint()
    commit = tags.get("cxr.git_commit")
    if commit != now.commit:
        found.append(EnvironmentChange("code", f"commit {_short(commit)} then, {_short(now.commit)} now", decides=not same_source))
    if logged.diff != (changes := uncommitted_changes()):
        then = f"{pluralize(_lines(logged.diff), 'line')} of uncommitted changes" if logged.diff else "no uncommitted changes"
        today = f"{pluralize(_lines(changes), 'line')} of them" if changes else "none"
        found.append(EnvironmentChange("code", f"{then} then, {today} now", decides=not same_source))
    if not same_source and not found:
        found.append(EnvironmentChange("code", "the package's source is not the same"))
    return found


def environment_changes(logged: Logged) -> list[EnvironmentChange]:
    """Packages, Python, processor, threads."""
    now = dict(line.split("==") for line in packages().split())
    differing = sorted(name for name in logged.packages.keys() | now.keys() if logged.packages.get(name) != now.get(name))
    found = [
        EnvironmentChange("packages", f"{name} {logged.packages.get(name, 'absent')} then, {now.get(name, 'absent')} now")
        for name in _NUMERIC
        if name in differing
    ]
    if others := [name for name in differing if name not in _NUMERIC]:
        shown = ", ".join(others[:5]) + (" ..." if len(others) > 5 else "")
        found.append(
            EnvironmentChange("packages", f"{pluralize(len(others), 'other package')} of another version: {shown}", decides=False)
        )
    here = machine()
    for name, value in here.items():
        then = logged.machine.get(name)
        if then != value:
            found.append(EnvironmentChange("machine", f"{name} {then} then, {value} now", decides=name in _DECIDES))
    if logged.machine.get("gpus"):
        found.append(EnvironmentChange("machine", f"it ran on {', '.join(map(str, logged.machine['gpus']))}"))
    return found


def data_changes(logged: Logged, today: pd.DataFrame) -> list[EnvironmentChange]:
    """Images by hash: altered since then. Images that came later are not part of the run and are left out."""
    then, now = (frame.set_index("path") for frame in (logged.manifest, today))
    altered = [path for path in then.index if path in now.index and then.loc[path, "sha256"] != now.loc[path, "sha256"]]
    gone = [path for path in then.index if path not in now.index]
    found = [(altered, "altered since then"), (gone, "can't be read today")]
    return [
        EnvironmentChange("data", f"{pluralize(len(paths), 'image')} {what}, the first of them {paths[0]}")
        for paths, what in found
        if paths
    ]


def weights_changes(logged: Logged, sha256: str | None) -> list[EnvironmentChange]:
    """The weights that the backbone starts from."""
    then = logged.run.tags.get("cxr.weights_sha256")
    if then == sha256:
        return []
    return [
        EnvironmentChange(
            "weights", f"sha256 {_short(then)} then, {_short(sha256)} now: give the same file as backbone.weights=FILE"
        )
    ]


def config_changes(changed: list[tuple[str, str, str]], notes: list[str]) -> list[EnvironmentChange]:
    """Values that the same arguments give today. The run uses the logged values, so these do not decide."""
    return [
        *(
            EnvironmentChange("config", f"{key} was {then}; the same arguments give {now} today", decides=False)
            for key, then, now in changed
        ),
        *(EnvironmentChange("config", note, decides=False) for note in notes),
    ]


def _short(value: str | None) -> str:
    return value[:8] if value else "unknown"


def _lines(diff: str) -> int:
    return sum(line.startswith(("+", "-")) and not line.startswith(("+++", "---")) for line in diff.splitlines())
