"""The option of `data` that arguments imply: images are named, and no kind of them."""

import re
from collections.abc import Iterator, Sequence

from cxr.config.options import CONF_DIR, own_folder

_CHOOSES_DATA = re.compile(r"^\s*- override /data\s*:", re.MULTILINE)


def implied_data(arguments: Sequence[str]) -> str | None:
    """The option that `data.root` or `data.manifest` implies; None without them, and where something chooses the data.

    >>> implied_data(["data.root=images"]), implied_data(["data.manifest=list.csv", "data.root=images"])
    ('folder', 'manifest')
    >>> implied_data(["data=radiography", "data.root=images"]), implied_data(["data.root=null"]), implied_data(["freeze=head"])
    (None, None, None)
    """
    overrides = [argument.lstrip("+") for argument in arguments if "=" in argument and not argument.startswith("-")]
    values = dict(override.partition("=")[::2] for override in overrides)
    named = [name for name in ("manifest", "root") if values.get(f"data.{name}", "null") != "null"]
    is_chosen = "data" in values or any(key.startswith("data.phantom") for key in values)
    if not named or is_chosen or any(_CHOOSES_DATA.search(text) for text in _options(values)):
        return None
    return "manifest" if "manifest" in named else "folder"


def _options(values: dict[str, str]) -> Iterator[str]:
    """The text of the options that are chosen, as of a preset."""
    for group, chosen in values.items():
        for folder in filter(None, (CONF_DIR, own_folder())):
            files = [folder / group / f"{name}.yaml" for name in chosen.split(",") if "." not in group]
            yield from (file.read_text(encoding="utf-8") for file in files if file.is_file())
