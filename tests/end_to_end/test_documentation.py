"""Every command of the README and of docs/ runs as written; only the places that it names are stand-ins."""

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from tests.conftest import REPOSITORY, Command
from tests.logged_runs import runs_in

pytestmark = pytest.mark.slow

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
BLOCKS = [
    (page.name, [line.split("  #")[0].strip() for line in block.splitlines() if line])
    for page in PAGES
    if page.name != "extending.md"  # see test_extending.py
    for block in re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
]
SERVERS = {"scripts/cxr ui"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, phantoms: Path) -> Path:
    """A home folder with what the README says to have: images in ~/radiography, and weights that Keras has downloaded."""
    home = tmp_path_factory.mktemp("home")
    (home / "radiography").symlink_to(phantoms)
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    (home / ".keras/models").mkdir(parents=True)
    keras.applications.MobileNetV2(input_shape=(224, 224, 3), include_top=False, weights=None).save(home / ".keras/models" / name)
    return home


def test_readme_is_short_and_shows_the_commands_that_people_need() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    assert len(text.split()) <= 900
    commands = [command for page, block in BLOCKS if page == "README.md" for command in block]
    assert {"scripts/cxr", "scripts/cxr ui"} <= set(commands)
    assert any(" -m " in command for command in commands)
    assert any("data=radiography" in command for command in commands)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            assert (page.parent / target.partition("#")[0] if not target.startswith("#") else page).is_file(), target


def test_configuration_reference_is_current() -> None:
    made = subprocess.run(
        [sys.executable, REPOSITORY / "scripts/documentation/config_reference.py"], capture_output=True, text=True, check=True
    )
    assert made.stdout == (REPOSITORY / "docs/configuration.md").read_text(encoding="utf-8"), "run scripts/config_reference"


# Commands that a test of their own runs, with more to check: its file.
ELSEWHERE = {
    "scripts/cxr -m freeze=head,last_stage": "test_default_run.py",
    "scripts/cxr results --presets frozen_head_baseline --run data.phantom.count=60 evaluation=numbers audit=off": (
        "test_presets.py"
    ),
}
RUNS = [left for _, block in BLOCKS if (left := [command for command in block if command not in {*SERVERS, *ELSEWHERE}])]
REAL = ("scripts/cxr", "scripts/cxr data index data=phantom")  # first commands of the blocks that run by the script itself


def test_commands_that_run_elsewhere_are_in_the_docs_and_in_their_tests() -> None:
    assert set(ELSEWHERE) <= {command for _, block in BLOCKS for command in block}
    for command, file in ELSEWHERE.items():
        words = set(re.findall(r"[\w.=,-]+", Path(__file__).with_name(file).read_text(encoding="utf-8")))
        assert set(shlex.split(command)[1:]) <= words, f"{file} does not run {command}"


@pytest.mark.parametrize("block", RUNS, ids=[block[0] for block in RUNS])
def test_commands_of_a_block_run_as_written(
    block: list[str], home: Path, cache_home: Path, tmp_path: Path, cxr_here: Command
) -> None:
    environment = {"HOME": str(home), "KERAS_HOME": str(home / ".keras"), "XDG_CACHE_HOME": str(cache_home)}
    for command in block:
        script, *arguments = [word.replace("~", str(home)) for word in shlex.split(command)]
        assert script == "scripts/cxr"
        words = [str(REPOSITORY / script), *arguments]
        if block[0] in REAL:
            inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
            done = subprocess.run(
                words, cwd=tmp_path, env=inherited | environment, capture_output=True, text=True, timeout=400, check=False
            )
        else:
            done = cxr_here(*arguments, folder=tmp_path, **environment)
        assert done.returncode == 0, done.stderr
        if arguments[:1] == ["-m"]:
            runs = runs_in(tmp_path)
            assert [run.info.status for run in runs] == ["FINISHED"] * len(runs)
            assert len(runs) >= 2


def test_ui_command_starts_a_server_where_runs_are(tmp_path: Path) -> None:
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns/mlflow.db").touch()
    server = subprocess.Popen(
        [REPOSITORY / "scripts/cxr", "ui"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        assert server.stdout is not None
        assert "http://127.0.0.1:" in server.stdout.readline()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
