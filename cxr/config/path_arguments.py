"""Arguments that hold a path, in the form in which Hydra's grammar reads that very path."""

import os
import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException

from cxr.config.fields import settings
from cxr.config.schema import Config
from cxr.system import expanded

PATHS = frozenset(key for key, _, item in settings(Config()) if "path" in item.metadata)
# What has a meaning of its own in a list of values: quoted text, brackets, and the comma outside of both.
_QUOTED_OR_COMMA = re.compile(r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\\.|[(\[{]|[)\]}]|,|.""", re.DOTALL)


def with_paths(arguments: Sequence[str], multirun: bool) -> list[str]:
    """The arguments with each path as one string of Hydra's grammar: as it is where Hydra reads it so, else in quotes.

    A path that exists is taken as it is, and ~ stands for the home folder. null, quoted text and interpolations are left to Hydra.
    With `multirun` commas separate values, unless the whole is a path that exists.

    >>> with_paths(["data.root=archive (1)", "data.manifest=null", "freeze=head", "data.root='a b'"], multirun=False)
    ["data.root='archive (1)'", 'data.manifest=null', 'freeze=head', "data.root='a b'"]
    >>> with_paths(["data.root=choice(a,b)", "backbone.weights=none,first (1).h5"], multirun=True)
    ['data.root=choice(a,b)', "backbone.weights=none,'first (1).h5'"]
    """
    return [_with_path(argument, multirun) for argument in arguments]


def _with_path(argument: str, multirun: bool) -> str:
    key, equals, value = argument.partition("=")
    if not equals or key.lstrip("+") not in PATHS:
        return argument
    is_list = multirun and not os.path.lexists(value)
    return f"{key}={','.join(_as_string(part, multirun) for part in (_parts(value) if is_list else [value]))}"


def _as_string(text: str, multirun: bool) -> str:
    exists = os.path.lexists(text)
    if text.lower() in ("", "null"):
        return text
    if text.startswith("~"):
        return _quoted(os.path.abspath(text) if exists else str(expanded(text)))  # noqa: PTH100 - later ~ would be expanded
    try:
        override = OverridesParser.create().parse_override(f"data.root={text}")
        is_sweep = override.is_sweep_override()
        value = None if is_sweep else override.value()
    except HydraException:
        is_sweep, value = False, None
    if exists:
        return text if value == text and "${" not in text else _quoted(text)
    is_read = isinstance(value, str) or (is_sweep and multirun)
    return text if is_read else QuotedString(text, Quote.single).with_quotes()


def _quoted(text: str) -> str:
    """A quoted string that stands for the text itself, with nothing in it to interpolate."""
    escaped = re.sub(r"(\\*)\$\{", lambda match: rf"{match[1] * 2}\${{", text)
    return QuotedString(escaped, Quote.single).with_quotes()


def _parts(text: str) -> list[str]:
    """The text, cut at the commas that are outside of quotes and brackets."""
    parts, depth = [""], 0
    for match in _QUOTED_OR_COMMA.finditer(text):
        depth += {**dict.fromkeys("([{", 1), **dict.fromkeys(")]}", -1)}.get(match[0], 0)
        if match[0] == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += match[0]
    return parts
