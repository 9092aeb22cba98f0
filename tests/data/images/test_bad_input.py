"""Files as they occur in real folders: each is read or reported, and no good image is lost."""

import os
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.data.image_list import has_clear_label
from cxr.data.images import store
from cxr.errors import UserError
from tests.data.test_manifest import dataset


def image(seed: int, side: int = 40) -> Image.Image:
    """One like no other."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side), np.uint8))


def save_images(root: Path) -> None:
    """Eight images in each of two classes."""
    for number, label in enumerate(("ill", "well")):
        (root / label).mkdir()
        for index in range(8):
            image(100 * (number + 1) + index).save(root / label / f"good {index}.png")


GOOD = [f"{label}/good {index}.png" for label in ("ill", "well") for index in range(8)]


# How to make each file, and the reason why it is bad; "" where it is read like any other.
CORPUS: dict[str, tuple[Callable[[Path], object], str]] = {
    "empty.png": (Path.touch, "not an image"),
    "text.png": (lambda file: file.write_text("see the attachment"), "not an image"),
    "1x1.png": (lambda file: image(4, 1).save(file), "1 x 1 pixels are too few"),
    "bomb.png": (lambda file: Image.new("1", (20_000, 20_000)).save(file, "png"), "more pixels than any chest radiograph has"),
    "circle.png": (lambda file: file.symlink_to("circle.png"), "too many levels of symbolic links"),
    "dangling.png": (lambda file: file.symlink_to("nowhere"), "no such file"),
    "two\nlines.png": (lambda file: image(5).save(file, "png"), "its name is not text in one line"),
    "b\udce9ton.png": (lambda file: image(6).save(file, "png"), "its name is not text in one line"),
    "a jpeg.png": (lambda file: image(7).save(file, "jpeg"), ""),
    "with spaces, a comma and 'quotes'.png": (lambda file: image(11).save(file), ""),
    "Lunge \u00e4\u00f6\u00fc \u80ba \u202f.png": (lambda file: image(12).save(file), ""),
    f"{'long' * 60}.png": (lambda file: image(13).save(file), ""),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with all of it in one class, beside good images."""
    store.forget_images()
    save_images(tmp_path)
    for name, (make, _) in CORPUS.items():
        make(made := tmp_path / f"new{Path(name).suffix}")  # Pillow takes no name that is not text
        made.rename(tmp_path / "ill" / name)
    (tmp_path / "ill" / "again").symlink_to(tmp_path / "ill")
    return tmp_path


def test_skip_keeps_all_good_images_and_names_each_bad_file(root: Path) -> None:
    tracemalloc.start()
    read = dataset(root, on_bad_image="skip")
    assert tracemalloc.get_traced_memory()[1] < 60e6  # unpacked, the bomb alone would take 400 MB
    tracemalloc.stop()
    assert set(read.manifest["path"]) == {*GOOD, *(f"ill/{name}" for name, (_, reason) in CORPUS.items() if not reason)}
    assert len(read.images) == len(read.manifest)
    reasons = {bad.path: bad.reason for bad in read.bad}
    expected = {f"ill/{name if has_clear_label(name) else ascii(name)[1:-1]}": why for name, (_, why) in CORPUS.items() if why}
    assert reasons.keys() == expected.keys()
    for path, why in expected.items():
        assert why in reasons[path], path


def test_stop_names_the_first_bad_file_and_counts_the_others(root: Path) -> None:
    with pytest.raises(UserError, match=r"can't read .*ill/1x1.png \(1 x 1 pixels .* and 7 others: .*data.on_bad_image=skip"):
        dataset(root)


@pytest.fixture
def readable_by_all() -> Iterator[Path]:
    """A folder outside of pytest's own, which only its owner may enter."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


def test_file_without_permission_is_bad(readable_by_all: Path) -> None:
    save_images(readable_by_all)
    (readable_by_all / "ill/good 0.png").chmod(0)
    (readable_by_all / "well/ward").mkdir(mode=0)
    administrator = os.geteuid() == 0  # who may read everything
    if administrator:
        os.seteuid(65534)
    try:
        read = dataset(readable_by_all, on_bad_image="skip")
    finally:
        if administrator:
            os.seteuid(0)
    assert [(bad.path, bad.reason) for bad in read.bad] == [
        ("ill/good 0.png", "permission denied"),
        ("well/ward", "permission denied: a folder"),
    ]
    assert len(read.manifest) == 15


def test_run_without_any_good_image_stops(tmp_path: Path) -> None:
    for label in ("ill", "well"):
        (tmp_path / label).mkdir()
        for number in range(3):
            (tmp_path / label / f"{number}.png").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(UserError, match="no image is left to train on"):
        dataset(tmp_path, on_bad_image="skip")


def test_copies_with_other_labels_are_left_out_kept_or_stop_the_run(root: Path) -> None:
    (root / "well/copy.bmp").symlink_to(root / "ill/good 0.png")
    copies = ["ill/good 0.png", "well/copy.bmp"]
    left_out = dataset(root, on_bad_image="skip")
    assert sorted(left_out.conflicts["path"]) == copies
    assert left_out.conflicts["left_out"].all()
    assert not set(copies) & set(left_out.manifest["path"])
    assert len(left_out.images) == len(left_out.manifest)
    kept = dataset(root, on_bad_image="skip", on_conflict="keep")
    assert not kept.conflicts["left_out"].any()
    rows = kept.manifest.set_index("path").loc[copies]
    assert rows["group"].nunique() == rows["split"].nunique() == 1
    with pytest.raises(
        UserError, match=r"2 images have copies with another label, for example ill/good 0.png \(ill\) and well/copy"
    ):
        dataset(root, on_bad_image="skip", on_conflict="stop")


def test_folder_that_changes_while_it_is_read_stops_the_run(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents_of = store._contents_of

    def changed(*arguments: object) -> object:
        contents = contents_of(*arguments)  # type: ignore[arg-type]
        image(999).save(root / "well/good 3.png")
        return contents

    monkeypatch.setattr(store, "_contents_of", changed)
    with pytest.raises(UserError, match=r"well/good 3.png changed while it was being read"):
        dataset(root, on_bad_image="skip")
