"""Phantoms: the same pixels every time, drawn once, never incomplete."""

from pathlib import Path

import numpy as np
import pytest

from cxr.config.schema import PhantomConfig
from cxr.data.sources import phantom
from cxr.data.sources.phantom import CLASS_SHARES, class_counts, draw, drawn, ensure_drawn


def test_a_phantom_depends_on_seed_class_and_number_only() -> None:
    first = draw("COVID", 3, PhantomConfig())
    np.testing.assert_array_equal(first, draw("COVID", 3, PhantomConfig(count=77)))
    assert first.dtype == np.uint8
    assert first.shape == (96, 96)
    for other in (draw("COVID", 4, PhantomConfig()), draw("Normal", 3, PhantomConfig()), draw("COVID", 3, PhantomConfig(seed=1))):
        assert np.abs(first.astype(int) - other).mean() > 1


@pytest.mark.parametrize("count", [30, 101, 1000])
def test_every_image_is_counted(count: int) -> None:
    assert sum(class_counts(count).values()) == count
    assert list(class_counts(count)) == list(CLASS_SHARES)


def test_a_set_is_drawn_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = PhantomConfig(count=30, image_size=32)
    folder = ensure_drawn(config, tmp_path, lambda done, total: None)
    assert {path.name: len(list((path / "images").iterdir())) for path in folder.iterdir()} == class_counts(30)
    monkeypatch.setattr(phantom, "draw", None)
    assert ensure_drawn(config, tmp_path, lambda done, total: None) == folder == drawn(config, tmp_path)


def test_an_interrupted_set_is_not_mistaken_for_a_whole_one(tmp_path: Path) -> None:
    config = PhantomConfig(count=30, image_size=32)

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ensure_drawn(config, tmp_path, interrupt)
    assert drawn(config, tmp_path) is None
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]
