"""`cxr cache`: what is kept is shown in words that a user knows, and is gone when it is cleared."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cxr.cache import Cache, Kind
from cxr.commands.cache import main

OF_HEAD = {"boundary": "pooled", "image_size": 96, "input_range": [-1.0, 1.0], "engine": "openvino 1.0", "augment": None}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """One set of decoded images, activations of them as they are and of two views."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path))
    cache = Cache(tmp_path, 10**9)
    entries: list[tuple[Kind, dict[str, Any]]] = [("decoded", {"image_size": 96}), ("activations", OF_HEAD)]
    entries += [("activations", {**OF_HEAD, "augment": {"seed": 3, "view": view}}) for view in (0, 1)]
    for kind, recipe in entries:
        cache.rows(kind, recipe, ["a", "b"], (1000,), np.float32, lambda places: iter([(np.zeros((2, 1000)), [None] * 2)]))
    return cache


def test_it_shows_what_is_kept(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    said = capsys.readouterr().out
    for words in ("96 px", "pooled", "[-1, 1]", "as they are", "2 of seed 3", "4 entries, 33.0 kB"):
        assert words in said


def test_it_clears_one_kind_or_all(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    main(["clear", "--kind", "activations"])
    assert [entry.kind for entry in cache.entries()] == ["decoded"]
    assert "Cleared 3 entries" in capsys.readouterr().out
    main(["clear"])
    main([])
    assert "0 entries" in capsys.readouterr().out


def test_what_a_run_is_writing_stays(cache: Cache, capsys: pytest.CaptureFixture[str]) -> None:
    from filelock import FileLock

    with FileLock(cache.entries()[0].folder.with_suffix(".lock")):
        main(["clear"])
    assert "1 entry is being written by a run" in capsys.readouterr().out
    assert len(cache.entries()) == 1
