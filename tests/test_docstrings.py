"""Public functions describe their arrays, frames and errors in sections (docs/contributing.md, Style)."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((*ROOT.glob("cxr/**/*.py"), *ROOT.glob("hydra_plugins/**/*.py")))
ARRAYS = {"NDArray", "ndarray", "Tensor"}
FRAMES = {"DataFrame", "Series"}
SHAPE = re.compile(r"\((?:[^()]|\(\w+\))*(?:,|\bn|\.\.\.)(?:[^()]|\(\w+\))*\)|\(\)")  # (n,), (n, size, size, 1), () of a scalar
Function = ast.FunctionDef | ast.AsyncFunctionDef


def names(node: ast.AST | None) -> set[str]:
    """The names in an annotation, without those of functions that it describes (`Callable[...]`)."""
    if node is None or (isinstance(node, ast.Subscript) and names(node.value) == {"Callable"}):
        return set()
    here = {node.id} if isinstance(node, ast.Name) else {node.attr} if isinstance(node, ast.Attribute) else set()
    return here.union(*(names(child) for child in ast.iter_child_nodes(node)))


def array_types(sources: Iterable[str]) -> set[str]:
    """`ARRAYS`, `FRAMES`, and the package's own names for them (`Floats = NDArray[np.float64]`)."""
    types = ARRAYS | FRAMES
    for node in (node for source in sources for node in ast.parse(source).body):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript) and names(node.value) & (ARRAYS | FRAMES):
            types |= names(node.targets[0])
    return types


def public_functions(body: list[ast.stmt]) -> Iterator[Function]:
    """Functions of a module, and methods of its classes, whose names do not begin with an underscore."""
    for node in body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node.body)


def raised(node: ast.AST) -> set[str]:
    """Exceptions that a function raises by name in its own body, and does not catch there."""
    if isinstance(node, ast.Try):
        caught = set().union(*(names(handler.type) for handler in node.handlers))
        return raised(ast.Module(node.body, [])) - caught | raised(ast.Module([*node.handlers, *node.orelse, *node.finalbody], []))
    inner = [child for child in ast.iter_child_nodes(node) if not isinstance(child, Function | ast.Lambda)]
    here = node.exc.func if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) else getattr(node, "exc", None)
    return {name for name in names(here) if name[0].isupper()}.union(*(raised(child) for child in inner))


def section(docstring: str, title: str) -> dict[str, str]:
    """The entries of a section, by name."""
    lines = re.search(rf"^{title}:\n((?:    .*\n?|\n)*)", docstring, re.MULTILINE)
    entries = re.findall(r"^    (\w+(?:, \w+)*): ((?:.|\n {5,})*)", lines[1], re.MULTILINE) if lines else []
    return {name: text for title, text in entries for name in title.split(", ")}


def mistakes(source: str, types: set[str]) -> list[str]:
    """What is missing in the docstrings of a module, one line each."""
    lines = []
    body = ast.parse(source).body
    imported = (node for node in body if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("cxr."))
    types = types - {alias.name for node in imported for alias in node.names} | ARRAYS | FRAMES
    for function in public_functions(body):
        docstring = ast.get_docstring(function) or ""
        arguments, errors = section(docstring, "Args"), section(docstring, "Raises")
        parameters = [node for node in ast.walk(function.args) if isinstance(node, ast.arg)]
        for parameter in parameters:
            words = names(parameter.annotation)
            text = arguments.get(parameter.arg, "")
            if words & types and not (text if words & FRAMES else SHAPE.search(text)):
                lines.append(f"{function.name}: Args lacks the shape of {parameter.arg}")
        summary = docstring.partition("\n\n")[0]
        returned = re.search(r"^(Returns|Yields):", docstring, re.MULTILINE)
        if names(function.returns) & types and not (returned or SHAPE.search(summary)):
            lines.append(f"{function.name}: Returns lacks the shape")
        lines += [
            f"{function.name}: Args has {name}, which is no parameter" for name in arguments.keys() - {p.arg for p in parameters}
        ]
        documented = errors.keys() | set(re.findall(r"^Raise `(\w+)`", docstring))  # the summary of a function that only checks
        lines += [f"{function.name}: Raises lacks {name}" for name in sorted(raised(function) - documented)]
        lines += [f"{function.name}: Raises has no section" for _ in re.findall(r"\bRaises `", docstring)]
    return lines
