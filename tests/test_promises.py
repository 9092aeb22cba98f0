"""Promises: each row of the table names tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
ROWS = [
    line
    for line in (REPOSITORY / "docs/promises.md").read_text(encoding="utf-8").partition("## Exit codes")[0].splitlines()
    if line.startswith("| ") and line != "| promise | test |"
]


@cache
def names_in(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row[2:60] for row in ROWS])
def test_each_promise_has_a_test(row: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", row)
    assert named
    for file, test in named:
        assert test in names_in(REPOSITORY / file)
