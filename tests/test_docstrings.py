"""Public functions describe their arrays, frames and errors in sections (docs/contributing.md, Style)."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FILES = sorted((*ROOT.glob("cxr/**/*.py"), *ROOT.glob("hydra_plugins/**/*.py")))
ARRAYS = {"NDArray", "ndarray", "Tensor"}
FRAMES = {"DataFrame", "Series"}
SIZE = r"(?:\*?\w+(?: [-+*] \w+)?|\.\.\.)"
SHAPE = re.compile(rf"\((?:\.\.\.|{SIZE},(?: {SIZE},?)*)?\)")  # (n,), (n, size, size, 1), (n + 1, ...), () of a scalar
CITATION = re.compile(r"[A-Z]\w+(?: et al\.)?,? (?:\"[^\"]*\",? )?\(?(?:19|20)\d\d\b(?!-)")  # Cox 1958; Cox, "Title", 1958
Function = ast.FunctionDef | ast.AsyncFunctionDef


def names(node: ast.AST | None) -> set[str]:
    """The names in an annotation, without those inside of `Callable[...]`."""
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
        others = (raised(child) for child in (*node.handlers, *node.orelse, *node.finalbody))
        return (set().union(*map(raised, node.body)) - caught).union(*others)
    inner = [child for child in ast.iter_child_nodes(node) if not isinstance(child, Function | ast.Lambda)]
    here = node.exc.func if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) else getattr(node, "exc", None)
    return {name for name in names(here) if name[0].isupper()}.union(*(raised(child) for child in inner))


def section(docstring: str, title: str) -> dict[str, str]:
    """The entries of a section, by name."""
    lines = re.search(rf"^{title}:\n((?:    .*\n?|\n)*)", docstring, re.MULTILINE)
    entries = re.findall(r"^    (\w+(?:, \w+)*): ((?:.|\n {5,})*)", lines[1], re.MULTILINE) if lines else []
    return {name: text for title, text in entries for name in title.split(", ")}


def undescribed_arrays(function: Function, docstring: str, types: set[str]) -> Iterator[str]:
    """Parameters and results whose shape, or columns, no section has."""
    arguments = section(docstring, "Args")
    parameters = [node for node in ast.walk(function.args) if isinstance(node, ast.arg)]
    for parameter in parameters:
        words, text = names(parameter.annotation), arguments.get(parameter.arg, "")
        if words & types and not (text if words & FRAMES else SHAPE.search(text)):
            yield f"{function.name}: Args lacks the shape of {parameter.arg}"
    for name in arguments.keys() - {parameter.arg for parameter in parameters}:
        yield f"{function.name}: Args has {name}, which is no parameter"
    words, summary = names(function.returns), docstring.partition("\n\n")[0]
    in_summary = SHAPE.search(summary) or (words & FRAMES and re.search(r"\b(rows?|columns?)\b", summary))
    if words & types and not in_summary and not re.search(r"^(Returns|Yields):", docstring, re.MULTILINE):
        yield f"{function.name}: Returns lacks the shape"


def mistakes(source: str, types: set[str]) -> list[str]:
    """What is missing in the docstrings of a module, one line each."""
    body, lines = ast.parse(source).body, list[str]()
    imported = (node for node in body if isinstance(node, ast.ImportFrom) and not (node.module or "").startswith("cxr."))
    types = types - {alias.name for node in imported for alias in node.names} | ARRAYS | FRAMES
    for function in public_functions(body):
        docstring = ast.get_docstring(function) or ""
        lines += undescribed_arrays(function, docstring, types)
        checked = re.findall(r"^Raise `(\w+)`", docstring)  # the summary of a function that only checks
        lacking = raised(function) - section(docstring, "Raises").keys() - set(checked)
        lines += [f"{function.name}: Raises lacks {name}" for name in sorted(lacking)]
        if re.search(r"\b[Rr]aises `", docstring):
            lines.append(f"{function.name}: Raises is a sentence")
        if CITATION.search(re.sub(r"^Source:\n(?: {4}.*\n?)*|^>>>(?:.*\n?)*", "", docstring, flags=re.MULTILINE)):
            lines.append(f"{function.name}: Source is a sentence")
    return lines


BAD = '''
Grey = NDArray[np.uint8]

def shown(images: Grey, table: pd.DataFrame) -> NDArray[np.float64]:
    """Images as Otsu (1979) has them. Raises `ValueError` for none."""
    if not len(images):
        raise ValueError("none")
'''
GOOD = '''
Grey = NDArray[np.uint8]

def shown(images: Grey, table: pd.DataFrame) -> NDArray[np.float64]:
    """Images above a threshold, (n, size, size).

    Args:
        images: (n, size, size).
        table: a row an image.

    Raises:
        ValueError: There is none.

    Source:
        Otsu (1979).
    """
    if not len(images):
        raise ValueError("none")
'''


def test_functions_of_the_package_have_their_sections() -> None:
    types = array_types(file.read_text(encoding="utf-8") for file in FILES)
    wrong = {file: lines for file in FILES if (lines := mistakes(file.read_text(encoding="utf-8"), types))}
    assert wrong == {}


def test_missing_sections_are_mistakes() -> None:
    assert mistakes(BAD, array_types([BAD])) == [
        "shown: Args lacks the shape of images",
        "shown: Args lacks the shape of table",
        "shown: Returns lacks the shape",
        "shown: Raises lacks ValueError",
        "shown: Raises is a sentence",
        "shown: Source is a sentence",
    ]


def test_sections_are_enough() -> None:
    assert mistakes(GOOD, array_types([GOOD])) == []


def test_name_that_is_no_parameter_is_a_mistake() -> None:
    renamed = GOOD.replace("images: Grey", "tiles: Grey")
    assert mistakes(renamed, array_types([GOOD])) == [
        "shown: Args lacks the shape of tiles",
        "shown: Args has images, which is no parameter",
    ]
