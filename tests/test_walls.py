"""Imports that wait until they are needed. import-linter checks which room may import which: see pyproject.toml."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "cxr"
SLOW = {"tensorflow", "keras", "mlflow", "openvino"}
# Imports inside functions, where the command may end before it needs them.
LAZY = {
    "cli.py": {"importlib"},
    "commands": {
        *("cxr.run.start", "cxr.sweep.run", "cxr.reevaluate.score", "cxr.training.trained_model"),
        *("cxr.predict.predictor", "cxr.predict.export", "cxr.predict.heat_maps"),
        *(
            "cxr.commands.data_actions",
            "cxr.data.sources.fetch",
            "cxr.reevaluate.views",
            "cxr.results.external",
            "cxr.tracking.carry",
        ),
    },
    "results/external.py": {"cxr.reevaluate.score"},
    "run/start.py": {"cxr.run.pipeline"},
    "reevaluate/audited.py": {"cxr.training.trained_model"},
    "sweep/run.py": {"cxr.run.heads"},
    "tracking": {"mlflow", "requests", "numpy", "logging"},
    "training/runtime.py": {"tensorflow", "keras"},
    "quiet_openvino.py": {"openvino"},
    "data/warp.py": {"openvino"},
    "training/exported.py": {"openvino", "tf2onnx", "onnxruntime"},
    "data/images/dicom.py": {"pydicom"},
    "predict/structured_report.py": {"highdicom", "pydicom"},
    "system.py": {"numpy"},
    "data/sources/fetch.py": {"kagglehub", "requests"},
}


def lazy_imports(path: Path) -> set[str]:
    """Modules that functions of a file import."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    inside = [node for function in functions for node in ast.walk(function)]
    plain = {alias.name for node in inside if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in inside if isinstance(node, ast.ImportFrom)}


def test_imports_are_at_the_top_of_files_but_for_the_known_ones() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        place = path.relative_to(PACKAGE).as_posix()
        allowed = next((names for start, names in LAZY.items() if place.startswith(start)), set())
        for name in lazy_imports(path):
            assert name in allowed or name.partition(".")[0] in allowed, f"{place} imports {name} inside a function"


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
