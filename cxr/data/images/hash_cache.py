"""The hash cache: hashes of files by size and time, so that a second index does not read unchanged files."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from cxr.data.images.image_file import Content

# A file changed so shortly before it was looked at may change again without another time of change (seconds).
_SETTLED = 3.0

FOLDER = "seen"  # in the cache


class HashCache:
    """Hashes of files below a root by their size and time of change, kept in a file of this user's cache.

    Time is that of the content and of the entry in the folder, so a replaced file is noticed even if its date is old.
    """

    def __init__(self, cache: Path, root: Path) -> None:
        self.root, self.file = root, cache / FOLDER / f"{sha256(str(root.resolve()).encode()).hexdigest()[:16]}.json"
        self._before = self._read()
        self._stats: dict[str, list[int]] = {}

    def recall(self, paths: Sequence[str]) -> dict[str, Content]:
        """The files that have not changed."""
        now, unchanged = time.time(), dict[str, Content]()
        for path in paths:
            try:
                stat = os.stat(f"{self.root}/{path}")  # noqa: PTH116 - of many files, and a Path takes longer than this
            except OSError:
                continue
            if stat.st_mtime < now - _SETTLED:
                self._stats[path] = [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
            before = self._before.get(path)
            if isinstance(before, list) and before[:-1] == self._stats.get(path):
                unchanged[path] = Content(f"{self.root}/{path}", str(before[-1]))
        return unchanged

    def remember(self, contents: Mapping[str, Content]) -> None:
        """Keep the hashes of files that `recall` looked up. If they can't be written, they are not kept."""
        kept = {path: [*stat, contents[path].sha256] for path, stat in self._stats.items() if path in contents}
        if kept == self._before:
            return
        with suppress(OSError):
            self.file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # names of files may be names of people
            with NamedTemporaryFile("w", dir=self.file.parent, delete=False) as file:
                file.write(json.dumps(kept))  # json.dump takes five times as long
            Path(file.name).replace(self.file)

    def _read(self) -> dict[str, object]:
        try:
            hashes = json.loads(self.file.read_bytes())
        except (OSError, ValueError):
            return {}
        return hashes if isinstance(hashes, dict) else {}
