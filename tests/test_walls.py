"""Slow libraries are imported when they are needed. Rules for imports are in pyproject.toml: ruff and import-linter check them."""

import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "cxr"
SLOW = {"tensorflow", "keras", "mlflow", "openvino"}


def test_slow_libraries_wait_until_they_are_needed() -> None:
    commands = [f"cxr.commands.{path.stem}" for path in sorted((PACKAGE / "commands").glob("[a-z]*.py"))]
    modules = ["cxr.cli", *commands, "cxr.run.start", "cxr.sweep.job", "cxr.sweep.run", "cxr.tracking.run", "cxr.compare.page"]
    code = f"""
import importlib, sys
for name in {modules}:
    importlib.import_module(name)
    if loaded := {SLOW} & set(sys.modules):
        sys.exit(f"{{name}} loads {{loaded}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
