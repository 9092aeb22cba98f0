"""The code of a logged commit, checked out from the repository of this machine."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cxr.cache.store import default_folder
from cxr.errors import UserError

_REPOSITORY = Path(__file__).resolve().parents[2]


@contextmanager
def checked_out(commit: str | None, diff: str, with_diff: bool, keep: bool) -> Iterator[Path]:
    """A folder with the code of `commit`; with `with_diff` the logged uncommitted changes are applied. `keep` leaves it there.

    The commit comes from this machine's repository, so it is known code; a logged diff is code of the person who made
    the run. Raises `UserError` without a checkout, without the commit, or for uncommitted changes without `--with-diff`.
    """
    _check(commit, diff, with_diff)
    assert commit is not None
    folder = default_folder() / "worktrees" / commit[:12]
    folder.parent.mkdir(parents=True, exist_ok=True)
    if folder.exists() and not keep:
        _git("worktree", "remove", "--force", str(folder))
    if not folder.exists():
        _git("worktree", "prune")
        done = _git("worktree", "add", "--detach", str(folder), commit)
        if done.returncode:
            raise UserError(f"git can't check out {commit[:8]}: {' '.join(done.stderr.split())}")
    try:
        _git("checkout", "--force", commit, folder=folder)
        _git("clean", "--force", "-d", folder=folder)  # what another run's changes added; .venv is ignored, and stays
        if diff:
            applied = _git("apply", "--whitespace=nowarn", "-", folder=folder, given=diff)
            if applied.returncode:
                raise UserError(f"the logged changes can't be applied to {commit[:8]}: {' '.join(applied.stderr.split())}")
        yield folder
    finally:
        if not keep:
            _git("worktree", "remove", "--force", str(folder))


def _check(commit: str | None, diff: str, with_diff: bool) -> None:
    if not (_REPOSITORY / ".git").exists():
        raise UserError("there is no checkout to take the logged commit from: this cxr was installed as a package")
    if not commit or len(commit) != 40 or not set(commit) <= set("0123456789abcdef"):
        raise UserError("the run logged no commit: it was made with an installed package")
    if _git("cat-file", "-e", f"{commit}:cxr/commands/reproduce.py").returncode:
        known = not _git("cat-file", "-e", commit).returncode
        raise UserError(
            f"commit {commit[:8]} is older than cxr reproduce: check it out and give the logged overrides by hand"
            if known
            else f"commit {commit[:8]} is not in this repository: fetch it first"
        )
    if diff and not with_diff:
        raise UserError(
            "the run was made with uncommitted changes: read environment/uncommitted.diff among its artifacts, then add "
            "--with-diff to apply it, or go without --in-worktree"
        )


def _git(*arguments: str, folder: Path = _REPOSITORY, given: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, input=given, check=False)
