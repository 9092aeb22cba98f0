"""What tells whether two runs are of the same config and the same code; for data see cxr.data.manifest."""

import hashlib
import json
from functools import cache
from pathlib import Path

from cxr.config import Config, settings

# Where things are, how runs are kept and ordered, and how many cores work: none of it is part of the experiment.
_NO_PART = (
    "tracking.",
    "objective.",
    "baseline.",
    "force",
    "data.root",
    "data.manifest",
    "training.threads",
    "training.cache_limit_gb",
)


def config_fingerprint(config: Config, weights_sha256: str | None = None) -> str:
    """Hash of all settings that bear on the result, 16 hex digits; weights count by content where it is given."""
    values = {key: value for key, value, _ in settings(config) if bears_on_result(key)}
    if weights_sha256:
        values["backbone.weights"] = weights_sha256
    return _short(json.dumps(values, sort_keys=True))


def bears_on_result(key: str) -> bool:
    """Whether a setting is part of the experiment.

    >>> bears_on_result("freeze.trainable_from"), bears_on_result("tracking.uri")
    (True, False)
    """
    return not key.startswith(_NO_PART)


@cache
def code_fingerprint() -> str:
    """Hash of this package's source, 16 hex digits: the same for a checkout and a wheel of it."""
    package = Path(__file__).parent
    sources = {path.relative_to(package).as_posix(): path for path in package.rglob("*.py")}
    return _short("".join(f"{name}:{hashlib.sha256(path.read_bytes()).hexdigest()}\n" for name, path in sorted(sources.items())))


def fingerprint_of(*parts: str) -> str:
    """One fingerprint of several."""
    return _short("\n".join(parts))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
