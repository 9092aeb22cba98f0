"""docs/extending.md, followed to the letter in a copy of the repository: each block applied, each command run."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

PAGE = (REPOSITORY / "docs/extending.md").read_text(encoding="utf-8")
# "Create `FILE`:", "Append to `FILE`:" or "In `FILE`, after the line `LINE`, add:", then a block.
STEP = re.compile(
    r"(?:(?P<how>Create|Append\s+to)\s+`(?P<file>[^`]+)`:|In\s+`(?P<into>[^`]+)`,\s+after\s+the\s+line\s+`(?P<line>[^`]+)`,\s+add:)"
    r"\n\n```(?:python|yaml)\n(?P<block>.*?)```",
    re.DOTALL,
)
COMMANDS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
RUN_ALL = """
import contextlib, json, os, sys
from cxr.cli import main
for number, arguments in enumerate(json.loads(sys.argv[1])):
    os.environ["CXR_CONFIG"] = ""  # --config-dir sets it
    sys.argv, code = ["cxr", *arguments], 0
    with open(f"output-{number}", "w") as output, contextlib.redirect_stdout(output):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        print("exit code", code)
"""
SECTIONS = [section.partition("\n")[0] for section in PAGE.split("\n## ")[1:] if "```sh" in section]


def apply(step: re.Match[str], root: Path) -> None:
    block = step["block"]
    if step["line"]:
        path = root / step["into"]
        before, line, after = path.read_text().partition(f"{step['line']}\n")
        assert line, f"{step['into']} has no line {step['line']}"
        path.write_text(before + line + block + after)
    elif step["how"] == "Create":
        path = root / step["file"]
        assert not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block)
    else:
        path = root / step["file"]
        path.write_text(f"{path.read_text()}\n\n{block}")


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with every step of the page."""
    root = tmp_path_factory.mktemp("extended")
    for name in ("cxr", "conf"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    steps = list(STEP.finditer(PAGE))
    assert len(steps) == len(re.findall(r"```(?:python|yaml)\n", PAGE))
    for step in steps:
        apply(step, root)
    return root


@pytest.fixture(scope="module")
def flat_folder(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The images that the source of the page reads."""
    folder = tmp_path_factory.mktemp("flat")
    for path in sorted(phantoms.rglob("*.png")):
        shutil.copy(path, folder / f"{path.parts[-3].replace('_', '-')}_{path.name}")
    return folder


def test_each_section_has_its_command() -> None:
    assert len(COMMANDS) == len(SECTIONS) == 8


def test_added_code_passes_the_linter_and_the_contracts(extended: Path) -> None:
    config = str(REPOSITORY / "pyproject.toml")
    contracts = [f"{REPOSITORY}/tests/data/test_augment.py", f"{REPOSITORY}/tests/model/test_losses.py"]
    for command in (
        ["ruff", "check", "--config", config, "cxr"],
        ["pytest", "-q", "-n0", "-p", "no:cacheprovider", "-c", config, "--rootdir", str(REPOSITORY), *contracts],
    ):
        done = subprocess.run(
            [sys.executable, "-m", *command], cwd=extended, env=environment(extended), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def finished(extended: Path, flat_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder where all commands ran, in one process, with what each printed; and what they said of their progress."""
    folder, arguments = tmp_path_factory.mktemp("runs"), []
    for command in COMMANDS:
        words = shlex.split(command.replace("FOLDER", str(flat_folder)).replace(" mine ", f" {extended / 'mine'} "))
        assert words[0] == "scripts/cxr"
        arguments.append(words[1:])
    command = [sys.executable, "-c", RUN_ALL, json.dumps(arguments)]
    done = subprocess.run(
        command, cwd=folder, env=environment(extended), stderr=subprocess.PIPE, text=True, timeout=1200, check=False
    )
    return folder, done.stderr


@pytest.mark.parametrize("section", SECTIONS)
def test_command_of_a_section_runs_as_written(section: str, finished: tuple[Path, str]) -> None:
    folder, progress = finished
    output = (folder / f"output-{SECTIONS.index(section)}").read_text()
    assert output.endswith("exit code 0\n"), output + progress
    (run_id,) = re.findall(r"artifacts/([0-9a-f]{32})/artifacts/report\.html", output)
    run = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db").get_run(run_id)
    assert -1 <= run.data.metrics["test/kappa"] <= 1
    artifacts = folder / f"mlruns/artifacts/{run_id}/artifacts"
    assert "Cohen&#39;s kappa" in (artifacts / "report.html").read_text()
    assert (artifacts / "evaluation/confidence.png").is_file()


def environment(root: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "HYDRA_"))}
    return {**inherited, "PYTHONPATH": f"{root}{os.pathsep}{REPOSITORY}"}
