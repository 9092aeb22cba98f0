"""`cxr cache` shows the entries, and clears them."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cxr.cache.eviction import Kind, entries_of, lock_of
from cxr.cache.shards import Values
from cxr.cache.store import Cache
from cxr.commands.cache import main

OF_HEAD = {"boundary": "pooled", "image_size": 96, "input_range": [-1.0, 1.0], "engine": "openvino 1.0", "augment": None}


def zeros(places: NDArray[np.int64]) -> Values:
    yield np.zeros((len(places), 1000), np.float32), [None] * len(places)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """Decoded images, and their activations without augmentation and of two views."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))
    cache = Cache(tmp_path, 10**9)
    (tmp_path / "seen").mkdir()
    entries: list[tuple[Kind, dict[str, Any]]] = [("decoded", {"image_size": 96}), ("activations", OF_HEAD)]
    entries += [("activations", {**OF_HEAD, "augment": {"seed": 3, "view": view}}) for view in (0, 1)]
    for kind, key in entries:
        cache.rows(kind, key, ["a", "b"], (1000,), np.float32, zeros)
    return cache


def test_show_lists_entries_with_their_size(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    out = capsys.readouterr().out
    for words in ("96 px", "pooled", "[-1, 1]", "not augmented", "2 of seed 3", "4 entries, 33.4 kB"):
        assert words in out


def test_clear_removes_one_kind_or_all(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    main(["clear", "--kind", "activations"])
    assert [entry.kind for entry in entries_of(cache.folder)] == ["decoded"]
    assert "Cleared 3 entries" in capsys.readouterr().out
    assert (cache.folder / "seen").exists()
    main(["clear"])
    main([])
    assert "0 entries" in capsys.readouterr().out
    assert not (cache.folder / "seen").exists()


def test_entry_that_a_run_is_writing_stays(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    with lock_of(entries_of(cache.folder)[0].folder):
        main(["clear"])
    assert "1 entry is in use by a run" in capsys.readouterr().out
    assert len(entries_of(cache.folder)) == 1
