"""Text for people, and names for metrics."""

import json
import os
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn
from unicodedata import category


def slug(class_name: str) -> str:
    """A class name as metrics spell it.

    >>> slug("Viral Pneumonia"), slug("COVID-19"), slug("Lung_Opacity")
    ('viral_pneumonia', 'covid_19', 'lung_opacity')
    """
    return re.sub(r"[\W_]+", "_", class_name.lower()).strip("_") or "class"


def part_in_full(part: str) -> str:
    """The full name of a part of a split.

    >>> part_in_full("val"), part_in_full("test")
    ('validation', 'test')
    """
    return "validation" if part == "val" else part


def printable(text: str) -> str:
    r"""Untrusted text without control characters and characters that change the direction of writing.

    >>> printable("a run\x1b[2J"), printable("line\nline")
    ('a run\ufffd[2J', 'line line')
    """
    return "".join(" " if char in "\n\t" else "\ufffd" if category(char) in ("Cc", "Cf", "Cs") else char for char in text)


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text of a stranger.

    Raises:
        ValueError: It is no JSON, has NaN or infinity, or is nested too deep.

    >>> parse_json('{"a": [1, null]}')
    {'a': [1, None]}
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("it is nested too deep") from None


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"it holds {constant}, which is not a number")


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the intended word, for the end of a `UserError`.

    >>> nearest("cosin", ["constant", "cosine", "plateau"])
    'did you mean cosine? (choose from: constant, cosine, plateau)'
    >>> nearest("zzz", ["on", "off"])
    'choose from: on, off'
    """
    names = list(known)
    close = get_close_matches(word, names, n=3, cutoff=0.6) or get_close_matches(word, names, n=1, cutoff=0.5)
    choices = f"choose from: {', '.join(names)}"
    return f"did you mean {' or '.join(close)}? ({choices})" if close else choices


# What follows `cxr` where a text names a command: a subcommand, an override or a flag.
_COMMAND = re.compile(
    r"(?<![\w/.-])cxr (?="
    r"(?:audit|backbones|cache|compare|completion|data|evaluate|export|folds|init|plan|predict|register|reproduce|results|runs|send|"
    r"serve|soup|submit|sweep|ui)\b|[a-z_.]+=|-)"
)


def as_called(text: str) -> str:
    """A text with its commands as this process was called: CXR_COMMAND, which scripts/cxr sets, or `python -m cxr`.

    >>> as_called("give cxr ui, or cxr data=phantom; cxr is fine")  # called as cxr
    'give cxr ui, or cxr data=phantom; cxr is fine'
    """
    command = "python -m cxr" if Path(sys.argv[0]).parts[-2:] == ("cxr", "__main__.py") else "cxr"
    return _COMMAND.sub(lambda _: f"{os.environ.get('CXR_COMMAND', command)} ", text)


def in_shell(*words: object) -> str:
    """The words of a command, or one of them, as they can be pasted into a shell.

    >>> in_shell("cxr", "data=folder", "data.root=archive (1)")
    "cxr data=folder 'data.root=archive (1)'"
    """
    return shlex.join(map(str, words))


def pluralize(count: int, singular: str, plural: str | None = None) -> str:
    """A count with its noun.

    >>> pluralize(1, "image"), pluralize(1200, "class", "classes")
    ('1 image', '1,200 classes')
    """
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def percent(share: float) -> str:
    """A share that is a constant, as texts have it.

    >>> percent(0.95), percent(0.975)
    ('95 %', '97.5 %')
    """
    return f"{100 * share:g} %"


def duration(seconds: float) -> str:
    """A duration in its two largest units.

    >>> duration(7.4), duration(95), duration(4000)
    ('7 s', '1 min 35 s', '1 h 6 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first names of a list, and how many more there are.

    >>> listed(["a", "b"]), listed(["a", "b", "c", "d", "e"])
    ('a, b', 'a, b, c and 2 more')
    """
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
