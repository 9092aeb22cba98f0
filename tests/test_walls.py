"""The walls between the rooms: what may import what, and what stays unloaded until it is needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "cxr"
SLOW = {"tensorflow", "keras", "mlflow"}
ALLOWED = {  # third-party libraries that only some places may import, at any depth of a file
    "tensorflow": ("model/", "training/", "data/views.py"),
    "keras": ("model/", "training/", "data/views.py"),
    "mlflow": ("tracking/",),
    "matplotlib": ("evaluation/",),
    "hydra": ("composition.py",),
}
# A room may import rooms of a lower level only (and itself).
LEVELS = [
    {"words", "errors", "options", "cores", "memory", "console", "spreadsheet"},
    {"config", "recipe", "progress", "cache", "costs"},
    {"checks"},
    {"data", "tracking", "composition", "fingerprint"},
    {"model", "evaluation"},
    {"study", "training", "comparison", "pictures"},
    {"facts", "summary"},
    {"record", "trained"},
    {"judging"},
    {"preparation"},
    {"experiment"},
    {"sweep", "reproduction"},
    {"reevaluation"},
    {"commands"},
    {"cli"},
    {"__main__"},
]


def imports_of(path: Path) -> set[str]:
    """Every module that a file imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[path.relative_to(PACKAGE).as_posix() for path in FILES])
def test_libraries_stay_in_their_rooms_and_imports_go_downward(path: Path) -> None:
    place = path.relative_to(PACKAGE).as_posix()
    room = place.split("/")[0].removesuffix(".py")
    for name in imports_of(path):
        top = name.split(".")[0]
        if top in ALLOWED:
            assert place.startswith(ALLOWED[top]), f"{place} imports {name}"
        if top == "cxr" and room != "__init__":
            imported = name.split(".")[1]
            levels = {each: level for level, rooms in enumerate(LEVELS) for each in rooms}
            assert imported == room or levels[imported] < levels[room], f"{place} imports {name}, which is not below it"


@pytest.mark.parametrize(
    "module",
    [
        "cxr.cli",
        "cxr.commands.compare",
        "cxr.commands.reproduce",
        "cxr.commands.send",
        "cxr.commands.ui",
        "cxr.comparison.page",
        "cxr.composition",
        "cxr.data.dataset",
        "cxr.data.locate",
        "cxr.commands.evaluate",
        "cxr.evaluation.figures.all_of_them",
        "cxr.evaluation.report.files",
        "cxr.experiment",
        "cxr.model.weights",
        "cxr.preparation",
        "cxr.sweep.run",
        "cxr.tracking.run",
    ],
)
def test_slow_libraries_wait_until_they_are_needed(module: str) -> None:
    code = f"import sys, {module}; print(sorted({SLOW!r} & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert loaded == "[]"
