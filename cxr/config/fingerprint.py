"""Fingerprints of config, code and libraries; for data see cxr.data.manifest."""

import ast
import hashlib
import json
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from cxr import extensions
from cxr.config.fields import settings
from cxr.config.schema import Config

# Places, storage, order of runs, number of cores, look of the report: none of these changes a result.
_NO_PART = (
    *("tracking.", "objective.", "baseline.", "sweep.", "work.", "audit.", "force", "data.root", "data.manifest"),
    *("data.citation", "data.licence", "training.threads", "training.cache_limit_gb"),
    *("evaluation.figure_dpi", "evaluation.pictures", "evaluation.failures", "evaluation.saliency_images", "evaluation.primary"),
)
# Names of options do not count, since their values do; for these the name is a value.
_NAMES_THAT_COUNT = ("backbone.name", "optimizer.name", "engine.name")
# Rooms and files whose code shows results and computes none.
_ONLY_SHOWS = (
    *("__main__.py", "cli.py", "progress.py", "commands/", "results/", "sweep/", "tracking/", "compare/"),
    *("reevaluate/", "reproduce/", "audit/", "evaluation/figures/", "evaluation/report/", "data/contact_sheet.py"),
    *("run/audited.py", "run/drawing_ahead.py", "run/explain.py", "run/reporting.py", "run/report_context.py", "run/summary.py"),
    *("background.py", "config/options.py", "training/trained_model.py"),
)
# Libraries whose arithmetic or decoding is in a result.
_COMPUTE = (
    *("tensorflow", "keras", "openvino", "numpy", "scipy", "scikit-learn", "pillow", "pydicom"),
    *("pylibjpeg", "pylibjpeg-libjpeg", "pylibjpeg-openjpeg", "pylibjpeg-rle", "python-gdcm", "pyjpegls"),
)


def config_fingerprint(config: Config, weights_sha256: str | None = None, file_sha256: str | None = None) -> str:
    """Hash of all settings that bear on the result, 16 hex digits.

    `backbone.weights` and `backbone.file` count by content where their hashes are given.
    """
    values = {key: value for key, value, _ in settings(config) if bears_on_result(key)}
    if weights_sha256:
        values["backbone.weights"] = weights_sha256
    if file_sha256:
        values["backbone.file"] = file_sha256
    return _short(json.dumps(values, sort_keys=True))


def bears_on_result(key: str) -> bool:
    """Whether a setting is part of the experiment.

    >>> bears_on_result("freeze.trainable_from"), bears_on_result("tracking.uri"), bears_on_result("freeze.name")
    (True, False, False)
    """
    return is_compared(key) and (not key.endswith(".name") or key in _NAMES_THAT_COUNT)


def is_compared(key: str) -> bool:
    """Whether a comparison lists a setting: those that bear on the result, and names of options.

    >>> is_compared("freeze.name"), is_compared("tracking.uri")
    (True, False)
    """
    return not key.startswith(_NO_PART)


@cache
def code_fingerprint() -> str:
    """Hash of the syntax of this package's source, 16 hex digits: the same for a checkout and a wheel of it.

    Comments, docstrings, layout, and code that only shows results do not count. The version of Python does: each version
    writes the syntax in its own way.
    """
    package = Path(__file__).parents[1]
    sources = {path.relative_to(package).as_posix(): path for path in package.rglob("*.py")}
    counted = {name: path for name, path in sorted(sources.items()) if not name.startswith(_ONLY_SHOWS)}
    return fingerprint_of(*(f"{name}:{syntax_of(path.read_text(encoding='utf-8'))}" for name, path in counted.items()))


def syntax_of(source: str) -> str:
    r"""A Python source without comments, docstrings and layout.

    >>> syntax_of("def f():  # why\n    'Does.'\n    return  1\n")
    'def f():\n    return 1'
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree)


@cache
def library_fingerprint() -> str:
    """Hash of the versions of the libraries that compute, 16 hex digits."""
    return _short(json.dumps(library_versions(), sort_keys=True))


def library_versions() -> dict[str, str]:
    """The version of each installed library that computes, by name."""
    found = {}
    for name in _COMPUTE:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found | extensions.packages()


def fingerprint_of(*parts: str) -> str:
    """One fingerprint of several."""
    return _short("\n".join(parts))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
