"""Every command of the README runs as it is written; only the places it names are made up."""

import os
import re
import shlex
import signal
import subprocess
from pathlib import Path

import keras
import mlflow
import pytest

from tests.conftest import REPOSITORY

pytestmark = pytest.mark.slow

README = (REPOSITORY / "README.md").read_text()
BLOCKS = [
    [line.split("  #")[0].strip() for line in block.splitlines() if line] for block in re.findall(r"```sh\n(.*?)```", README, re.S)
]
COMMANDS = [command for block in BLOCKS for command in block]
# Run elsewhere: the tests by whoever reads this, the bare command by test_default_run.
ELSEWHERE = {"scripts/test", "scripts/cxr"}
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


def test_the_readme_shows_the_commands_that_people_need() -> None:
    assert set(COMMANDS) >= ELSEWHERE | SERVERS
    assert any(" -m " in command for command in COMMANDS)
    assert any("data=radiography" in command for command in COMMANDS)


RUN_HERE = [[command for command in block if command not in ELSEWHERE | SERVERS] for block in BLOCKS]


@pytest.mark.parametrize("block", [block for block in RUN_HERE if block], ids=lambda block: block[0])
def test_the_commands_of_a_block_run_as_written(block: list[str], home: Path, cache_home: Path, tmp_path: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    environment = {**inherited, "HOME": str(home), "KERAS_HOME": str(home / ".keras"), "XDG_CACHE_HOME": str(cache_home)}
    for command in block:
        words = [word.replace("~", str(home)) for word in shlex.split(command)]
        assert words[0] == "scripts/cxr"
        words[0] = str(REPOSITORY / "scripts/cxr")
        done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, done.stderr
        if "-m" in words:
            mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlruns/mlflow.db")
            runs = mlflow.search_runs(search_all_experiments=True, output_format="list")
            assert [run.info.status for run in runs] == ["FINISHED"] * 2
            by_freeze = {run.data.params["freeze.name"]: run.data.metrics["test/auc_macro_ovr"] for run in runs}
            assert by_freeze["top_stage"] > by_freeze["head"]  # unfreezing visibly helps, as the README says


def test_the_ui_command_starts_a_server_where_runs_are(tmp_path: Path) -> None:
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
