"""Files as they occur in real folders: each is read or reported, and no good image is lost."""

import os
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from cxr.config.schema import Config, DataConfig
from cxr.data.dataset import Dataset, read_dataset
from cxr.data.image_list import has_clear_label
from cxr.data.images import store
from cxr.data.sources.locate import locate_images
from cxr.errors import UserError
from cxr.progress import Progress

stage = Progress(Console(quiet=True)).stage


def film(seed: int, side: int = 40) -> Image.Image:
    """One like no other."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8))


def truncated(file: Path) -> None:
    film(1).save(file, "png")
    file.write_bytes(file.read_bytes()[:700])


def animated(file: Path) -> None:
    film(2).save(file, "webp", save_all=True, append_images=[film(3)])


def bomb(file: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(file, "png")


def circle(file: Path) -> None:
    """A link to the name that it will have."""
    file.symlink_to("circle.png")


# How to make each under the name that it has below, and what is said of it; "" where it is read like any other.
CORPUS: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated.png": (truncated, "truncated"),
    "empty.png": (Path.touch, "not an image"),
    "text.png": (lambda file: file.write_text("see the attachment"), "not an image"),
    "a page.png": (lambda file: file.write_text("<html>404</html>"), "not an image"),
    "animated.webp": (animated, "2 images in one file"),
    "1x1.png": (lambda file: film(4, 1).save(file), "1 x 1 pixels are too few"),
    "bomb.png": (bomb, "more pixels than any chest radiograph has"),
    "circle.png": (circle, "too many levels of symbolic links"),
    "dangling.png": (lambda file: file.symlink_to("nowhere"), "no such file"),
    "two\nlines.png": (lambda file: film(5).save(file, "png"), "its name is not text in one line"),
    "b\udce9ton.png": (lambda file: film(6).save(file, "png"), "its name is not text in one line"),
    "a jpeg.png": (lambda file: film(7).save(file, "jpeg"), ""),
    "cmyk.jpg": (lambda file: film(8).convert("CMYK").save(file), ""),
    "16 bit.png": (lambda file: Image.fromarray(np.arange(1600, dtype=np.uint16).reshape(40, 40) * 40).save(file), ""),
    "palette.bmp": (lambda file: film(9).convert("P").save(file), ""),
    "alpha.png": (lambda file: film(10).convert("RGBA").save(file), ""),
    "with spaces, a comma and 'quotes'.png": (lambda file: film(11).save(file), ""),
    "Lunge \u00e4\u00f6\u00fc \u80ba \u202f.png": (lambda file: film(12).save(file), ""),
    f"{'long' * 60}.png": (lambda file: film(13).save(file), ""),
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all of it in one class, beside images that are right."""
    monkeypatch.setattr(store, "_latest", {})
    for number, label in enumerate(("ill", "well")):
        (tmp_path / label).mkdir()
        for index in range(8):
            film(100 * (number + 1) + index).save(tmp_path / label / f"good {index}.png")
    for name, (make, _) in CORPUS.items():
        make(made := tmp_path / f"new{Path(name).suffix}")  # Pillow takes no name that is not text
        made.rename(tmp_path / "ill" / name)
    (tmp_path / "ill" / "again").symlink_to(tmp_path / "ill")
    return tmp_path


def dataset(root: Path, **data: object) -> Dataset:
    config = Config(data=DataConfig(root=str(root), **data))  # type: ignore[arg-type]
    return read_dataset(config, locate_images(config.data, stage), stage)


def test_with_skip_nothing_good_is_lost_and_each_bad_file_has_its_reason(root: Path) -> None:
    tracemalloc.start()
    found = dataset(root, on_bad_image="skip")
    assert tracemalloc.get_traced_memory()[1] < 60e6  # unpacked, the bomb alone would take 400 MB
    tracemalloc.stop()
    good = {f"ill/{name}" for name, (_, reason) in CORPUS.items() if not reason}
    assert set(found.manifest["path"]) == good | {f"{label}/good {index}.png" for label in ("ill", "well") for index in range(8)}
    said = {bad.path: bad.reason for bad in found.bad}
    expected = {f"ill/{name if has_clear_label(name) else ascii(name)[1:-1]}": why for name, (_, why) in CORPUS.items() if why}
    assert said.keys() == expected.keys()
    for path, why in expected.items():
        assert why in said[path], path


def test_without_it_the_first_is_named_and_the_others_counted(root: Path) -> None:
    with pytest.raises(UserError, match=r"can't read .*ill/1x1.png \(1 x 1 pixels .* and 10 others: .*data.on_bad_image=skip"):
        dataset(root)


@pytest.fixture
def readable_by_all() -> Iterator[Path]:
    """A folder outside of pytest's own, which only its owner may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_a_file_that_may_not_be_read_is_answered_for(readable_by_all: Path) -> None:
    for number, label in enumerate(("ill", "well")):
        (readable_by_all / label).mkdir()
        for index in range(8):
            film(100 * (number + 1) + index).save(readable_by_all / label / f"{index}.png")
    (readable_by_all / "ill/0.png").chmod(0)
    (readable_by_all / "well/ward").mkdir(mode=0)
    administrator = os.geteuid() == 0  # who may read everything
    if administrator:
        os.seteuid(65534)
    try:
        found = dataset(readable_by_all, on_bad_image="skip")
    finally:
        if administrator:
            os.seteuid(0)
    assert [(bad.path, bad.reason) for bad in found.bad] == [
        ("ill/0.png", "permission denied"),
        ("well/ward", "permission denied: a folder"),
    ]
    assert len(found.manifest) == 15


def test_where_nothing_can_be_read_the_run_stops_in_words(tmp_path: Path) -> None:
    for label in ("ill", "well"):
        (tmp_path / label).mkdir()
        for index in range(4):
            (tmp_path / label / f"{index}.png").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(UserError, match="no image is left to train on"):
        dataset(tmp_path, on_bad_image="skip")


def test_copies_with_other_labels_are_left_out_kept_or_stop_the_run(root: Path) -> None:
    (root / "well/copy.bmp").symlink_to(root / "ill/good 0.png")
    left_out = dataset(root, on_bad_image="skip")
    assert sorted(left_out.conflicts["path"]) == ["ill/good 0.png", "well/copy.bmp"]
    assert left_out.conflicts["left_out"].all()
    assert not {"ill/good 0.png", "well/copy.bmp"} & set(left_out.manifest["path"])
    assert len(left_out.images) == len(left_out.manifest)
    kept = dataset(root, on_bad_image="skip", on_conflict="keep")
    assert len(kept.conflicts) == 2
    assert not kept.conflicts["left_out"].any()
    rows = kept.manifest.set_index("path").loc[["ill/good 0.png", "well/copy.bmp"]]
    assert rows["group"].nunique() == rows["split"].nunique() == 1
    with pytest.raises(
        UserError, match=r"2 images have copies with another label, for example ill/good 0.png \(ill\) and well/copy"
    ):
        dataset(root, on_bad_image="skip", on_conflict="stop")


def test_a_folder_that_changes_while_it_is_read_stops_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading = store._contents_of

    def changed(*arguments: object) -> object:
        found = reading(*arguments)  # type: ignore[arg-type]
        film(999).save(root / "well/good 3.png")
        return found

    monkeypatch.setattr(store, "_contents_of", changed)
    with pytest.raises(UserError, match=r"well/good 3.png changed while it was being read"):
        dataset(root, on_bad_image="skip")


def test_a_table_may_list_what_is_not_there_if_bad_images_are_skipped(root: Path) -> None:
    paths = [f"{label}/good {index}.png" for label in ("ill", "well") for index in range(8)]
    table = pd.DataFrame({"path": [*paths, "ill/lost.png"], "label": [*(path.split("/")[0] for path in paths), "ill"]})
    table.to_csv(root / "table.csv", index=False)
    found = dataset(root, manifest=str(root / "table.csv"), on_bad_image="skip")
    assert [(bad.path, bad.reason) for bad in found.bad] == [("ill/lost.png", "no such file or directory")]
    assert len(found.manifest) == 16
