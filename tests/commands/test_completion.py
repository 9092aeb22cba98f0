"""Tab completion: the candidates, and the script in a real shell."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cxr.commands.completion import candidates, main, run_names
from tests.logged_runs import MakeRun


def completed(words: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    main(["words", "--", *words])
    return capsys.readouterr().out.split()


def test_commands_options_and_settings(capsys: pytest.CaptureFixture[str]) -> None:
    assert completed(["comp"], capsys) == ["compare", "completion"]
    assert completed(["fre"], capsys) == ["freeze="]
    assert completed(["-m", "loss=f"], capsys) == ["loss=focal"]
    assert completed(["optimizer.learn"], capsys) == ["optimizer.learning_rate="]
    assert completed(["data", "ch"], capsys) == ["check"]
    assert candidates(["evaluate", "run", "evaluation.sens"])[-1] != "run"


def test_names_of_runs_come_from_the_store_without_mlflow(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    make_run("first")
    make_run("second one")
    assert run_names() == ["second one", "first"]
    assert completed(["evaluate", "fi"], capsys) == ["first"]


def test_without_a_store_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_names() == []
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_what_stands_after_the_equals_sign(tmp_path: Path) -> None:
    script = """eval "$(cxr completion bash)"
for COMP_LINE in "cxr -m loss=f" "cxr reprod"; do COMP_POINT=${#COMP_LINE}; _cxr 2>/dev/null; echo "${COMPREPLY[*]}"; done"""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["focal", "reproduce"]
