"""What differs today from the day of a run: code, packages, machine, images, weights."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import pandas as pd

from cxr.data.images.image_file import is_read_by_rules
from cxr.data.manifest import READ_OTHERWISE
from cxr.run.identity.logged import Logged
from cxr.stages.code import code_fingerprint
from cxr.text import in_shell, pluralize
from cxr.tracking.environment import REPOSITORY, code_version, machine, packages, uncommitted_changes

# Versions that decide numbers come first, and only they are named one by one.
_NUMERIC = ("tensorflow", "keras", "numpy", "scipy", "pillow", "scikit-learn", "pandas", "h5py", "cxr")
_DECIDES = ("python", "architecture")


@dataclass(frozen=True)
class EnvironmentChange:
    """One thing that differs; `decides` where it may change the result."""

    what: str
    text: str
    decides: bool = True


def code_changes(logged: Logged) -> list[EnvironmentChange]:
    """Commit, uncommitted changes, and the package's own source."""
    tags, now, changes = logged.run.tags, code_version(), []
    same_source = tags.get("cxr.code_fingerprint") == code_fingerprint()
    commit = tags.get("cxr.git_commit")
    if commit != now.commit:
        changes.append(
            EnvironmentChange("code", f"commit {_short(commit)} then, {_short(now.commit)} now", decides=not same_source)
        )
    if logged.diff != (diff := uncommitted_changes()):
        then = f"{pluralize(_lines(logged.diff), 'line')} of uncommitted changes" if logged.diff else "no uncommitted changes"
        today = f"{pluralize(_lines(diff), 'line')} of them" if diff else "none"
        changes.append(EnvironmentChange("code", f"{then} then, {today} now", decides=not same_source))
    if not same_source and not changes:
        changes.append(EnvironmentChange("code", "the package's source is not the same"))
    return changes


def commands_for_logged_code(logged: Logged) -> list[str]:
    """Shell commands that check out the logged commit beside this repository, and reproduce the run there.

    Empty where there is no repository, or the run logged no commit. Nothing is run here: a logged diff is code of the person who
    made the run.
    """
    run = logged.run
    commit = run.tags.get("cxr.git_commit", "")
    if not re.fullmatch("[0-9a-f]{40}", commit) or not (REPOSITORY / ".git").exists():
        return []
    folder = REPOSITORY.parent / f"cxr-{commit[:12]}"
    store = [] if urlsplit(run.store).password else ["--from", run.store]
    return [
        in_shell("git", "-C", REPOSITORY, "worktree", "add", folder, commit),
        *(["# read the logged environment/uncommitted.diff, then git apply it in that folder"] if logged.diff else []),
        in_shell(folder / "scripts/cxr", "reproduce", run.id, *store),
    ]


def environment_changes(logged: Logged) -> list[EnvironmentChange]:
    """Packages, Python, processor, threads."""
    now = dict(line.split("==") for line in packages().split())
    differing = sorted(name for name in logged.packages.keys() | now.keys() if logged.packages.get(name) != now.get(name))
    changes = [
        EnvironmentChange("packages", f"{name} {logged.packages.get(name, 'absent')} then, {now.get(name, 'absent')} now")
        for name in _NUMERIC
        if name in differing
    ]
    if others := [name for name in differing if name not in _NUMERIC]:
        shown = ", ".join(others[:5]) + (" ..." if len(others) > 5 else "")
        changes.append(
            EnvironmentChange("packages", f"{pluralize(len(others), 'other package')} of another version: {shown}", decides=False)
        )
    for name, value in machine().items():
        then = logged.machine.get(name)
        if then != value:
            changes.append(EnvironmentChange("machine", f"{name} {then} then, {value} now", decides=name in _DECIDES))
    if logged.machine.get("gpus"):
        changes.append(EnvironmentChange("machine", f"it ran on {', '.join(map(str, logged.machine['gpus']))}"))
    return changes


def data_changes(logged: Logged, today: pd.DataFrame) -> list[EnvironmentChange]:
    """Images by hash: altered since then. Images that came later are not part of the run and are left out.

    Args:
        today: a manifest, at least its columns path and sha256.
    """
    then, now = (frame.set_index("path") for frame in (logged.manifest, today))
    hashes = now["sha256"].reindex(then.index)
    gone = hashes.index[hashes.isna()]
    altered = hashes.index[hashes.notna() & (hashes != then["sha256"])]
    why = ""
    if logged.values.get("data", {}).get("phantom"):
        why = ": this version of cxr draws phantoms differently"
    elif now.reindex(index=altered, columns=["mode"])["mode"].dropna().map(is_read_by_rules).any():
        why = f" ({READ_OTHERWISE})"
    return [
        EnvironmentChange("data", f"{pluralize(len(paths), 'image')} {what}, the first of them {paths[0]}{reason}")
        for paths, what, reason in ((altered, "altered since then", why), (gone, "can't be read today", ""))
        if len(paths)
    ]


def weights_changes(logged: Logged, sha256: str | None) -> list[EnvironmentChange]:
    """The weights that the backbone starts from."""
    then = logged.run.tags.get("cxr.weights_sha256")
    if then == sha256:
        return []
    text = f"sha256 {_short(then)} then, {_short(sha256)} now: give the same file as backbone.weights=FILE"
    return [EnvironmentChange("weights", text)]


def config_changes(changed: list[tuple[str, str, str]], notes: list[str]) -> list[EnvironmentChange]:
    """Values that the same arguments give today. The run uses the logged values, so these do not decide."""
    texts = [f"{key} was {then}; the same arguments give {now} today" for key, then, now in changed]
    return [EnvironmentChange("config", text, decides=False) for text in [*texts, *notes]]


def _short(value: str | None) -> str:
    return value[:8] if value else "unknown"


def _lines(diff: str) -> int:
    return sum(line.startswith(("+", "-")) and not line.startswith(("+++", "---")) for line in diff.splitlines())
