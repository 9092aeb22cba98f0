"""Sets of phantoms: drawn once, never incomplete."""

from pathlib import Path

import pytest

from cxr.anatomy.phantom import CLASS_SHARES
from cxr.config.schema import DataConfig, PhantomConfig
from cxr.data.sources import phantom
from cxr.data.sources.phantom import class_counts, drawn, ensure_drawn
from cxr.errors import UserError
from cxr.progress import Progress

CONFIG = PhantomConfig(count=30, image_size=32)


@pytest.mark.parametrize("count", [30, 101, 1000])
def test_class_counts_add_up(count: int) -> None:
    assert sum(class_counts(count).values()) == count
    assert list(class_counts(count)) == list(CLASS_SHARES)


def test_set_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ensure_drawn(CONFIG, tmp_path, lambda done, total: None)
    assert {path.name: len(list((path / "images").iterdir())) for path in folder.iterdir()} == class_counts(30)
    monkeypatch.setattr(phantom, "draw", None)
    assert ensure_drawn(CONFIG, tmp_path, lambda done, total: None) == folder == drawn(CONFIG, tmp_path)


def test_nothing_is_drawn_below_a_folder_of_the_user(tmp_path: Path, quiet: Progress) -> None:
    data = DataConfig(name="phantom", root=str(tmp_path), phantom=CONFIG)
    with pytest.raises(UserError, match="holds no such phantoms, and they are drawn into the cache alone"):
        phantom.root_of(data, quiet.stage)
    assert list(tmp_path.iterdir()) == []
    assert ensure_drawn(CONFIG, tmp_path, lambda done, total: None) == phantom.root_of(data, quiet.stage)


def test_interrupted_set_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_drawn(CONFIG, tmp_path, interrupt)
    assert drawn(CONFIG, tmp_path) is None
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
