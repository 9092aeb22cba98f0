"""Code of a logged commit: only from the owner's repository, only if asked for, and without traces."""

import subprocess
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from cxr.commands import reproduce
from cxr.commands.arguments import parse
from cxr.errors import UserError
from cxr.reproduce import worktree
from cxr.reproduce.worktree import checked_out
from cxr.run.logged import Logged
from cxr.tracking.search import LoggedRun

ALTERS = "--- a/cxr/code.py\n+++ b/cxr/code.py\n@@ -1 +1 @@\n-version = 2\n+version = 3\n"
ADDS = "diff --git a/{name} b/{name}\nnew file mode {mode}\n--- /dev/null\n+++ b/{name}\n@@ -0,0 +1 @@\n+{text}\n"
ADDS_A_FILE = ADDS.format(name="cxr/new.py", mode=100644, text="new = 1")
ADDS_A_LINK = ADDS.format(name="out", mode=120000, text="{away}") + "\\ No newline at end of file\n"


def git(*arguments: str, folder: Path) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
    return subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two commits: one from before there was `cxr reproduce`, and one with it; then the code went on, uncommitted."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache/cxr"))
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, "/dev/null")
    folder = tmp_path / "repository"
    (folder / "cxr/commands").mkdir(parents=True)
    (folder / ".gitignore").write_text(".venv\n")
    git("init", "--quiet", folder=folder)
    for version, name in enumerate(("cxr/code.py", "cxr/commands/reproduce.py"), start=1):
        (folder / name).touch()
        (folder / "cxr/code.py").write_text(f"version = {version}\n")
        git("add", ".", folder=folder)
        git("commit", "--quiet", "--message", f"version {version}", folder=folder)
    (folder / "cxr/code.py").write_text("version = 10\n")
    monkeypatch.setattr(worktree, "_REPOSITORY", folder)
    monkeypatch.setattr(worktree, "_git", partial(worktree._git, folder=folder))
    return folder


def latest(repository: Path) -> str:
    return git("rev-parse", "HEAD", folder=repository)


def is_clean(repository: Path) -> bool:
    """Whether the repository and its own copy are as they were, and no worktree is left."""
    one = len(git("worktree", "list", folder=repository).splitlines()) == 1
    left = list(repository.parent.glob("cache/cxr/worktrees/*"))
    return one and not left and (repository / "cxr/code.py").read_text() == "version = 10\n"


def test_it_is_the_code_of_then_and_leaves_no_trace(repository: Path) -> None:
    with checked_out(latest(repository), "", with_diff=False, keep=False) as folder:
        assert (folder / "cxr/code.py").read_text() == "version = 2\n"
        assert not is_clean(repository)
    assert is_clean(repository)


def test_it_leaves_no_trace_where_the_run_fails(repository: Path) -> None:
    with pytest.raises(RuntimeError), checked_out(latest(repository), "", with_diff=False, keep=False):
        raise RuntimeError
    assert is_clean(repository)


def test_a_folder_that_a_killed_process_left_is_made_anew(repository: Path) -> None:
    commit = latest(repository)
    left = repository.parent / "cache/cxr/worktrees" / commit[:12]
    git("worktree", "add", "--detach", str(left), commit, folder=repository)
    (left / "cxr/new.py").touch()
    with checked_out(commit, "", with_diff=False, keep=False) as folder:
        assert folder == left
        assert not (folder / "cxr/new.py").exists()
    assert is_clean(repository)


@pytest.mark.parametrize(
    ("commit", "answer"),
    [
        ("0" * 40, "commit 00000000 is not in this repository: fetch it first"),
        (None, "logged no commit"),
        ("HEAD", "commit"),
        ("--upload-pack=touch x", "commit"),
        ("A" * 40, "commit"),
        (f"{'0' * 40}\n", "commit"),
    ],
)
def test_a_commit_that_is_not_there_is_refused(commit: str | None, answer: str, repository: Path) -> None:
    with pytest.raises(UserError, match=answer), checked_out(commit, "", with_diff=False, keep=False):
        pass
    assert is_clean(repository)


def test_a_commit_from_before_there_was_reproduce_is_refused(repository: Path) -> None:
    first = git("rev-parse", "HEAD~1", folder=repository)
    with pytest.raises(UserError, match="is older than cxr reproduce"), checked_out(first, "", with_diff=False, keep=False):
        pass
    assert is_clean(repository)


def test_without_a_repository_it_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    commit = latest(repository)
    monkeypatch.setattr(worktree, "_REPOSITORY", tmp_path / "site-packages")
    with pytest.raises(UserError, match="installed as a package"), checked_out(commit, "", with_diff=False, keep=False):
        pass


def test_uncommitted_changes_are_applied_only_if_asked_for(repository: Path) -> None:
    with pytest.raises(UserError, match="--with-diff"), checked_out(latest(repository), ALTERS, with_diff=False, keep=False):
        pass
    assert is_clean(repository)
    with checked_out(latest(repository), ALTERS + ADDS_A_FILE, with_diff=True, keep=False) as folder:
        assert (folder / "cxr/code.py").read_text() == "version = 3\n"
        assert (folder / "cxr/new.py").read_text() == "new = 1\n"
    assert is_clean(repository)


@pytest.mark.parametrize(
    "diff",
    [
        pytest.param(ALTERS.replace("version = 2", "version = 1"), id="does not fit"),
        pytest.param("rubbish\n", id="rubbish"),
        pytest.param(ADDS_A_FILE.replace("cxr/new.py", "../../../../mark"), id="writes outside"),
        pytest.param(ADDS_A_FILE.replace("b/cxr/new.py", "b/../../../../mark"), id="writes outside by its second name"),
        pytest.param(ADDS_A_FILE.replace("cxr/new.py", ".git/hooks/post-checkout"), id="writes a hook"),
        pytest.param(ADDS_A_LINK + ADDS_A_FILE.replace("cxr/new.py", "out/mark"), id="writes through a link"),
    ],
)
def test_changes_that_can_not_be_applied_are_refused_and_write_nothing(diff: str, repository: Path, tmp_path: Path) -> None:
    commit, diff = latest(repository), diff.replace("{away}", str(tmp_path))
    with pytest.raises(UserError, match="can't be applied"), checked_out(commit, diff, with_diff=True, keep=False):
        pass
    assert not list(tmp_path.rglob("mark"))
    assert not (repository / ".git/hooks/post-checkout").exists()
    assert is_clean(repository)


def test_a_folder_that_is_kept_holds_nothing_of_another_run(repository: Path) -> None:
    commit = latest(repository)
    with checked_out(commit, ALTERS + ADDS_A_FILE, with_diff=True, keep=True) as kept:
        (kept / ".venv").mkdir()
    with checked_out(commit, "", with_diff=False, keep=True) as folder:
        assert folder == kept
        assert (folder / "cxr/code.py").read_text() == "version = 2\n"
        assert not (folder / "cxr/new.py").exists()
        assert (folder / ".venv").is_dir()  # what it is kept for


def test_the_same_changes_can_be_applied_to_a_kept_folder_again(repository: Path) -> None:
    for _ in range(2):
        with checked_out(latest(repository), ADDS_A_FILE, with_diff=True, keep=True) as folder:
            assert (folder / "cxr/new.py").read_text() == "new = 1\n"


@pytest.mark.parametrize("how", ["--in-worktree", "--install"])
def test_the_code_of_then_runs_in_the_repository_too(
    how: str, repository: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (repository / "cxr/__init__.py").touch()
    (repository / "cxr/__main__.py").write_text("import cxr.code\nprint(cxr.code.version)\n")
    (repository / "cxr/code.py").write_text("version = 2\n")
    (repository / "scripts").mkdir()
    environment = 'PYTHONPATH="$(dirname "$0")/.."'  # stands for one that is made for the worktree
    (repository / "scripts/cxr").write_text(f'#!/bin/sh\n{environment} exec {sys.executable} -m cxr "$@"\n')
    (repository / "scripts/cxr").chmod(0o755)
    git("add", ".", folder=repository)
    git("commit", "--quiet", "--message", "it runs", folder=repository)
    (repository / "cxr/code.py").write_text("version = 10\n")
    monkeypatch.chdir(repository)
    run = LoggedRun("0" * 32, "then", "FINISHED", 0, {"cxr.git_commit": latest(repository)}, {}, {})
    asked = parse("reproduce", ["then", how])
    assert reproduce._in_worktree(Logged(run, {}, (), {}, pd.DataFrame(), {}, {}, ""), asked) == 0
    assert capfd.readouterr().out == "2\n"
