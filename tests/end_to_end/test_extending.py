"""docs/extending.md, followed to the letter in a copy of the repository: each block applied, each command run."""

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
import os, pathlib, sys
from cxr.cli import main
folders = sys.argv[1:]
for folder in folders:
    os.chdir(folder)
    os.environ["CXR_CONFIG"] = ""  # --config-dir sets it
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    sys.argv = ["cxr", *pathlib.Path("arguments").read_text().splitlines()]
    try:
        main()
    except SystemExit as end:
        pathlib.Path("code").write_text(str(end.code or 0))
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
def finished(extended: Path, flat_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    """For each command the folder that it ran in and its exit code, all in one process."""
    folders = []
    for command in COMMANDS:
        words = shlex.split(command.replace("FOLDER", str(flat_folder)).replace(" mine ", f" {extended / 'mine'} "))
        assert words[0] == "scripts/cxr"
        folders.append(tmp_path_factory.mktemp("run"))
        (folders[-1] / "arguments").write_text("\n".join(words[1:]))
    done = subprocess.run(
        [sys.executable, "-c", RUN_ALL, *map(str, folders)],
        cwd=extended,
        env=environment(extended),
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )
    return [(folder, f"{(folder / 'code').read_text() if (folder / 'code').exists() else ''}\n{done.stderr}") for folder in folders]


@pytest.mark.parametrize("section", SECTIONS)
def test_command_of_a_section_runs_as_written(section: str, finished: list[tuple[Path, str]]) -> None:
    folder, outcome = finished[SECTIONS.index(section)]
    assert outcome.startswith("0\n"), outcome
    client = MlflowClient(f"sqlite:///{folder}/mlruns/mlflow.db")
    experiment = client.get_experiment_by_name("cxr")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert -1 <= run.data.metrics["test/kappa"] <= 1
    assert "Cohen&#39;s kappa" in (folder / f"mlruns/artifacts/{run.info.run_id}/artifacts/report.html").read_text()
    assert (folder / f"mlruns/artifacts/{run.info.run_id}/artifacts/evaluation/confidence.png").is_file()


def environment(root: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MLFLOW_", "HYDRA_"))}
    return {**inherited, "PYTHONPATH": f"{root}{os.pathsep}{REPOSITORY}"}
