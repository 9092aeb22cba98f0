"""`cxr data`: the summary of a folder, its problems, and a contact sheet."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydicom.uid import UID

from cxr.commands.data import main
from cxr.data.images import store
from cxr.errors import UserError
from tests.data.images.test_dicom import report


@pytest.fixture
def root(phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's own, with an empty cache; tests work beside it."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "_latest", {})
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(phantoms, tmp_path / "images"))


def data(action: str, root: Path, *more: str) -> int:
    return main([action, "data=folder", f"data.root={root}", *more])


def test_index_writes_a_manifest_and_a_summary(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root.joinpath("Normal/images/empty.png").touch()
    root.joinpath("Normal/images/report.dcm").write_bytes(report(UID("1.2.840.10008.5.1.4.1.1.88.33")))
    assert data("index", root, "data.on_bad_image=skip") == 0
    out = capsys.readouterr().out
    manifest = pd.read_csv("manifest.csv")
    assert len(manifest) == 40
    for name, rows in manifest.groupby("label"):
        counts = "".join(rf"{count} +" for count in (*rows["split"].value_counts()[["train", "val", "test"]], len(rows)))
        assert pd.Series([out]).str.contains(f"{name} +{counts.rstrip(' +')}").all(), out
    assert "Left out: 1 image that can't be read" in out
    assert "Left out: 1 file without an image" in out
    assert "Sizes: 96 x 96 (40)" in out
    assert "cxr data=manifest data.manifest=manifest.csv" in out


def test_second_index_reads_only_new_files_and_prints_the_changes(
    root: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in root.rglob("*.png"):
        os.utime(path, (1e9, 1e9))  # settled long ago
    data("index", root)
    first = Path("manifest.csv").read_bytes()
    monkeypatch.setattr(store, "_latest", {})
    monkeypatch.setattr(store, "contents_of", None)  # it would read files
    capsys.readouterr()
    data("index", root)
    assert Path("manifest.csv").read_bytes() == first
    assert "since it was written last: nothing changed" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.chdir(root.parent)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).save(root / "Normal/images/new.png")
    data("index", root)
    assert "since it was written last: 1 new" in capsys.readouterr().out


def test_file_that_is_no_manifest_is_never_overwritten(root: Path) -> None:
    Path("manifest.csv").write_text("path,label\nmine,too\n")
    with pytest.raises(UserError, match=r"manifest.csv exists and is no manifest that cxr wrote"):
        data("index", root)
    assert Path("manifest.csv").read_text() == "path,label\nmine,too\n"
    data("index", root, "--to", "other.csv")
    before = Path("other.csv").read_bytes()
    for folder in root.iterdir():
        folder.rename(folder.with_name(f"new {folder.name}"))
    with pytest.raises(UserError, match=r"other.csv lists other images, only 0 of its 40 are here"):
        data("index", root, "--to", "other.csv")
    assert Path("other.csv").read_bytes() == before


def test_check_lists_all_problems(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data("check", root) == 0
    assert f"Nothing wrong: 40 images in {root}" in capsys.readouterr().out
    data("index", root)
    covid, normal = (sorted((root / name / "images").iterdir()) for name in ("COVID", "Normal"))
    covid[0].write_bytes(b"rubbish")
    covid[1].write_bytes(covid[2].read_bytes())
    normal[0].write_bytes(covid[3].read_bytes())
    capsys.readouterr()
    assert main(["check", "data=manifest", "data.manifest=manifest.csv", f"data.root={root}"]) == 1
    out = capsys.readouterr().out
    assert f"1 image: can't be read\n  COVID/images/{covid[0].name}: not an image" in out
    assert "3 images: changed since manifest.csv was written" in out
    assert "2 images: copies with different labels" in out
    assert f"COVID/images/{covid[3].name}: COVID, in set of copies 1" in out


def test_contact_sheet_shows_each_class(root: Path) -> None:
    data("show", root, "--each", "3", "--to", "sheet.png")
    with Image.open("sheet.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape[0] > 3 * 96
    assert pixels.min() < 50
    data("show", root, "--to", "sheet.png")
    one = shutil.copy(next(root.rglob("*.png")), "one.png")
    with pytest.raises(UserError, match="exists and is no contact sheet"):
        data("show", root, "--to", str(one))
    with pytest.raises(UserError, match="nowhere does not exist"):
        data("index", root, "--to", "nowhere/manifest.csv")
    with pytest.raises(UserError, match="would be among the images"):
        data("index", root, "--to", str(root / "manifest.csv"))
    with pytest.raises(UserError, match="--each 0 shows nothing"):
        data("show", root, "--each", "0")


def test_class_with_too_long_a_name_is_a_problem(tmp_path: Path, phantoms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run with it would be refused."""
    (tmp_path / "Normal").symlink_to(phantoms / "Normal")
    (tmp_path / ("C" * 255)).symlink_to(phantoms / "COVID")
    assert main(["check", "data=folder", f"data.root={tmp_path}"]) == 1
    assert "a class has so long a name" in capsys.readouterr().out
