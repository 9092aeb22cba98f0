"""The content of an installed cxr, and the locks."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY

LOCKS = [*sorted((REPOSITORY / "scripts/locks").glob("*.txt")), REPOSITORY / "deploy/mlflow/requirements.txt"]


@pytest.mark.slow
def test_wheel_carries_configs_weights_and_the_report_template(tmp_path: Path) -> None:
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        str(tmp_path),
        ".",
    ]
    subprocess.run(build, cwd=REPOSITORY, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("cxr-*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    configs = {f"cxr/conf/{path.relative_to(REPOSITORY / 'conf').as_posix()}" for path in (REPOSITORY / "conf").rglob("*.yaml")}
    assert configs <= names
    assert {
        "cxr/model/phantom_backbone.weights.h5",
        "cxr/anatomy/lungs.bin",
        "cxr/anatomy/lungs.xml",
        "cxr/evaluation/report/report.html.jinja",
        "cxr/evaluation/report/checklist.yaml",
        "hydra_plugins/cxr_ray_launcher/launcher.py",
        "hydra_plugins/cxr_slurm_launcher/launcher.py",
    } <= names
    assert "hydra_plugins/__init__.py" not in names  # other launchers are in that namespace too


@pytest.mark.parametrize("lock", LOCKS, ids=[lock.name for lock in LOCKS])
def test_locks_pin_every_package_with_hashes_and_name_no_index(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "index-url" not in text
    pinned = re.split(r"\n(?=\S)", text.strip())
    assert len(pinned) > 5
    for requirement in pinned:
        assert re.match(r"[a-z0-9._-]+(\[[\w,-]+\])?==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement
