"""`cxr cache`: show or clear the disk cache."""

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.filesize import decimal as in_bytes

from cxr.cache.eviction import Entry, entries_of, remove
from cxr.cache.store import default_folder
from cxr.commands.arguments import parse
from cxr.commands.output import new_table
from cxr.data.images.hash_cache import FOLDER as HASHES
from cxr.data.profile_copy import FOLDER as PROFILES
from cxr.progress import wide_console
from cxr.text import pluralize


def main(arguments: list[str]) -> None:
    """Show the cache, or clear it."""
    args = parse("cache", arguments)
    folder = default_folder()
    entries = [entry for entry in entries_of(folder) if args.kind in (None, entry.kind)]
    if args.action == "clear":
        _clear(entries)
        if args.kind is None:
            for other in (HASHES, PROFILES):
                shutil.rmtree(folder / other, ignore_errors=True)
    else:
        _show(folder, entries)


def _clear(entries: list[Entry]) -> None:
    sizes = {entry.folder: entry.bytes for entry in entries}
    gone = [entry for entry in entries if remove(entry)]
    print(f"Cleared {pluralize(len(gone), 'entry', 'entries')}, {in_bytes(sum(sizes[entry.folder] for entry in gone))}.")
    if len(gone) < len(entries):
        left = pluralize(len(entries) - len(gone), "entry is", "entries are")
        print(f"{left} in use by a run, or another user's: clear again later.")


_COLUMNS = ("kind", "pixels", "up to", "fed with", "by", "views", "images", "size", "last used")


def _show(folder: Path, entries: list[Entry]) -> None:
    table = new_table(_COLUMNS, left={*_COLUMNS} - {"images", "size"})
    alike: dict[tuple[str, ...], list[Entry]] = {}  # all but the number of the view; most recently used first
    for entry in reversed(entries):
        alike.setdefault((entry.kind, *_columns(entry.key)), []).append(entry)
    for (*columns, views), group in alike.items():
        used = datetime.fromtimestamp(group[0].used).strftime("%Y-%m-%d %H:%M")
        views = f"{len(group)} of {views}" if views.startswith("seed") else views
        images = sum(entry.rows for entry in group)
        table.add_row(*columns, views, f"{images:,}", in_bytes(sum(entry.bytes for entry in group)), used)
    console = wide_console()
    if entries:
        console.print(table)
    total = in_bytes(sum(entry.bytes for entry in entries))
    clear = "Clear them with: cxr cache clear" if entries else "Runs fill it."
    console.print(f"{pluralize(len(entries), 'entry', 'entries')}, {total}, in {folder}. {clear}")


def _columns(key: dict[str, Any]) -> tuple[str, ...]:
    """The columns of an entry; its key may be of an older version of cxr, or damaged."""
    pixels = f"{size} px" if (size := key.get("image_size", "?")) else ""  # facts do not depend on the size
    if "boundary" not in key:
        return pixels, "", "", "", ""
    low, high = key.get("input_range") or (float("nan"), float("nan"))
    augment = key.get("augment")
    views = f"seed {augment.get('seed')}" if isinstance(augment, dict) else "not augmented"
    return pixels, str(key["boundary"]), f"[{low:g}, {high:g}]", str(key.get("engine", "?")), views
