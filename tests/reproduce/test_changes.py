"""What differs today from a run: the text of a change, and whether it may explain another result."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from cxr.reproduce.changes import (
    EnvironmentChange,
    code_changes,
    commands_for_logged_code,
    config_changes,
    data_changes,
    environment_changes,
    weights_changes,
)
from cxr.run.identity.logged import Logged
from cxr.tracking.environment import CodeVersion
from cxr.tracking.logged_run import LoggedRun

A, B = "a" * 40, "b" * 40
MACHINE = {"python": "3.11.7", "system": "Linux", "release": "6.1", "architecture": "x86_64", "cores": 4}
DIFF = "--- a/cxr/x.py\n+++ b/cxr/x.py\n@@ -1 +1,2 @@\n-old\n+new\n+newer\n"
MANIFEST = pd.DataFrame({"path": ["a.png", "b.png", "c.png"], "sha256": ["1", "2", "3"]})


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets the code, the packages and the machine of today."""

    def set_today(
        commit: str | None = A, diff: str = "", source: str = "s", packages: str = "keras==3\nnumpy==2\n", **machine: object
    ) -> None:
        monkeypatch.setattr("cxr.reproduce.changes.code_version", lambda: CodeVersion(commit, bool(diff)))
        monkeypatch.setattr("cxr.reproduce.changes.uncommitted_changes", lambda: diff)
        monkeypatch.setattr("cxr.reproduce.changes.code_fingerprint", lambda: source)
        monkeypatch.setattr("cxr.reproduce.changes.packages", lambda: packages)
        monkeypatch.setattr("cxr.reproduce.changes.machine", lambda: {**MACHINE, **machine})

    set_today()
    return set_today


@pytest.fixture
def logged() -> Logged:
    """A run of the same code, packages and machine, unless a test says otherwise."""
    run = LoggedRun("0" * 32, "then", "FINISHED", 0, {"cxr.git_commit": A, "cxr.code_fingerprint": "s"}, {}, {})
    machine = {**MACHINE, "threads": 4, "gpus": []}
    return Logged(run, {}, (), {}, MANIFEST, {"keras": "3", "numpy": "2"}, machine, "")


def test_equal_environment_has_no_changes(today: Callable[..., None], logged: Logged) -> None:
    assert code_changes(logged) + environment_changes(logged) == []
    assert data_changes(logged, MANIFEST) + weights_changes(logged, None) + config_changes([], []) == []


@pytest.mark.parametrize(
    ("commit", "diff", "now", "text", "decides"),
    [
        (A, "", {"commit": B}, "commit aaaaaaaa then, bbbbbbbb now", False),
        (A, "", {"commit": B, "source": "other"}, "commit aaaaaaaa then, bbbbbbbb now", True),
        (A, "", {"diff": DIFF, "source": "other"}, "no uncommitted changes then, 3 lines of them now", True),
        (A, DIFF, {"source": "other"}, "3 lines of uncommitted changes then, none now", True),
        (A, DIFF, {"diff": DIFF + "+newest\n"}, "3 lines of uncommitted changes then, 4 lines of them now", False),
        (None, "", {"commit": None, "source": "other"}, "the package's source is not the same", True),
    ],
)
def test_change_of_code_matters_where_the_source_is_another(
    commit: str | None, diff: str, now: dict[str, str], text: str, decides: bool, today: Callable[..., None], logged: Logged
) -> None:
    tags = {"cxr.code_fingerprint": "s", **({"cxr.git_commit": commit} if commit else {})}
    today(**now)
    assert code_changes(replace(logged, run=replace(logged.run, tags=tags), diff=diff)) == [
        EnvironmentChange("code", text, decides)
    ]


@pytest.mark.parametrize(
    ("store", "place"),
    [
        ("sqlite:////a b/mlflow.db?timeout=60", " --from 'sqlite:////a b/mlflow.db?timeout=60'"),
        ("http://127.0.0.1:5000", " --from http://127.0.0.1:5000"),
        ("postgresql://cxr:secret@host/runs", ""),  # a password is never shown
    ],
)
def test_commands_check_out_the_logged_commit_and_run_it(
    store: str, place: str, logged: Logged, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my cxr/.git").mkdir(parents=True)
    monkeypatch.setattr("cxr.reproduce.changes.REPOSITORY", tmp_path / "my cxr")
    logged = replace(logged, run=replace(logged.run, store=store))
    first, last = commands_for_logged_code(logged)
    assert first == f"git -C '{tmp_path}/my cxr' worktree add {tmp_path}/cxr-{A[:12]} {A}"
    assert last == f"{tmp_path}/cxr-{A[:12]}/scripts/cxr reproduce {'0' * 32}{place}"
    (_, note, _) = commands_for_logged_code(replace(logged, diff=DIFF))
    assert note.startswith("# read the logged environment/uncommitted.diff")
    monkeypatch.setattr("cxr.reproduce.changes.REPOSITORY", tmp_path / "site-packages")
    assert commands_for_logged_code(logged) == []


@pytest.mark.parametrize("commit", ["", "HEAD", "--upload-pack=touch x", "A" * 40, f"{'0' * 40}\n"])
def test_commands_are_not_made_of_a_tag_that_is_not_a_commit(commit: str, logged: Logged) -> None:
    assert commands_for_logged_code(replace(logged, run=replace(logged.run, tags={"cxr.git_commit": commit}))) == []


def test_packages_that_compute_are_named_first_and_others_counted(today: Callable[..., None], logged: Logged) -> None:
    others = "".join(f"p{number}==2\n" for number in range(7))
    today(packages=f"{others}keras==4\nscipy==1\n")
    packages = {"keras": "3", "numpy": "2", **{f"p{number}": "1" for number in range(6)}}
    assert environment_changes(replace(logged, packages=packages)) == [
        EnvironmentChange("packages", "keras 3 then, 4 now"),
        EnvironmentChange("packages", "numpy 2 then, absent now"),
        EnvironmentChange("packages", "scipy absent then, 1 now"),
        EnvironmentChange("packages", "7 other packages of another version: p0, p1, p2, p3, p4 ...", decides=False),
    ]


def test_python_and_architecture_matter_and_the_rest_of_the_machine_does_not(today: Callable[..., None], logged: Logged) -> None:
    today(python="3.12.1", release="6.2", architecture="aarch64", cores=8)
    assert environment_changes(replace(logged, machine={**logged.machine, "gpus": ["NVIDIA T4"]})) == [
        EnvironmentChange("machine", "python 3.11.7 then, 3.12.1 now"),
        EnvironmentChange("machine", "release 6.1 then, 6.2 now", decides=False),
        EnvironmentChange("machine", "architecture x86_64 then, aarch64 now"),
        EnvironmentChange("machine", "cores 4 then, 8 now", decides=False),
        EnvironmentChange("machine", "it ran on NVIDIA T4"),
    ]


def test_altered_and_missing_images_are_counted_and_new_ones_left_out(logged: Logged) -> None:
    today = pd.DataFrame({"path": ["d.png", "c.png", "b.png"], "sha256": ["4", "0", "0"]})
    assert data_changes(logged, today) == [
        EnvironmentChange("data", "2 images altered since then, the first of them b.png"),
        EnvironmentChange("data", "1 image can't be read today, the first of them a.png"),
    ]


def test_altered_phantoms_are_those_of_another_version(logged: Logged) -> None:
    phantoms = replace(logged, values={"data": {"phantom": {"count": 3}}})
    text = "3 images altered since then, the first of them a.png: this version of cxr draws phantoms differently"
    assert data_changes(phantoms, MANIFEST.assign(sha256="0")) == [EnvironmentChange("data", text)]


def test_other_weights_are_a_change_with_advice(logged: Logged) -> None:
    run = replace(logged.run, tags={"cxr.weights_sha256": A})
    assert weights_changes(replace(logged, run=run), A) == []
    (change,) = weights_changes(replace(logged, run=run), B)
    assert change == EnvironmentChange("weights", "sha256 aaaaaaaa then, bbbbbbbb now: give the same file as backbone.weights=FILE")


def test_values_of_presets_today_are_listed_and_do_not_matter() -> None:
    assert config_changes([("optimizer.learning_rate", "0.01", "0.1")], ["a note"]) == [
        EnvironmentChange("config", "optimizer.learning_rate was 0.01; the same arguments give 0.1 today", decides=False),
        EnvironmentChange("config", "a note", decides=False),
    ]
