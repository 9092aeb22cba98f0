"""`cxr data`: the summary of a folder, its problems, and a contact sheet."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.commands.data import main
from cxr.data.images import store
from cxr.data.images.image_file import Content, contents_of
from cxr.errors import UserError
from tests.conftest import Command


@pytest.fixture
def films(phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the user's own, with a cache that is empty; tests work beside it."""
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(store, "_latest", {})
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(phantoms, tmp_path / "films"))


def data(action: str, films: Path, *more: str) -> int:
    return main([action, "data=folder", f"data.root={films}", *more])


def test_an_index_is_a_manifest_and_a_summary(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    films.joinpath("Normal/images/empty.png").touch()
    assert data("index", films, "data.on_bad_image=skip") == 0
    said = capsys.readouterr().out
    manifest = pd.read_csv("manifest.csv")
    assert len(manifest) == 40
    for name, rows in manifest.groupby("label"):
        counts = "".join(rf"{count} +" for count in (*rows["split"].value_counts()[["train", "val", "test"]], len(rows)))
        assert pd.Series([said]).str.contains(f"{name} +{counts.rstrip(' +')}").all(), said
    assert "Left out: 1 image that can't be read" in said
    assert "Sizes: 96 x 96 (40)" in said
    assert "cxr data=manifest data.manifest=manifest.csv" in said


def test_a_second_index_reads_nothing_again_and_says_what_changed(
    films: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in films.rglob("*.png"):
        os.utime(path, (1e9, 1e9))  # settled long ago
    data("index", films)
    first = Path("manifest.csv").read_bytes()
    monkeypatch.setattr(store, "_latest", {})
    looked_at: list[str] = []

    def noted(files: Sequence[str]) -> list[Content | OSError]:
        looked_at.extend(files)
        return contents_of(files)

    monkeypatch.setattr(store, "contents_of", noted)
    capsys.readouterr()
    data("index", films)
    assert not looked_at
    assert Path("manifest.csv").read_bytes() == first
    assert "since it was written last: nothing changed" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.chdir(films.parent)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40), np.uint8)).save(films / "Normal/images/new.png")
    data("index", films)
    assert "since it was written last: 1 new" in capsys.readouterr().out


def test_a_file_that_is_no_manifest_is_never_written_over(films: Path) -> None:
    Path("manifest.csv").write_text("path,label\nmine,too\n")
    with pytest.raises(UserError, match=r"manifest.csv exists and is no manifest that cxr wrote"):
        data("index", films)
    assert Path("manifest.csv").read_text() == "path,label\nmine,too\n"
    data("index", films, "--to", "other.csv")
    before = Path("other.csv").read_bytes()
    for folder in films.iterdir():
        folder.rename(folder.with_name(f"new {folder.name}"))
    with pytest.raises(UserError, match=r"other.csv lists other images, only 0 of its 40 are here"):
        data("index", films, "--to", "other.csv")
    assert Path("other.csv").read_bytes() == before


def test_a_check_lists_all_that_is_wrong(films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data("check", films) == 0
    assert f"Nothing wrong: 40 images in {films}" in capsys.readouterr().out
    data("index", films)
    covid, normal = (sorted((films / name / "images").iterdir()) for name in ("COVID", "Normal"))
    covid[0].write_bytes(b"rubbish")
    covid[1].write_bytes(covid[2].read_bytes())
    normal[0].write_bytes(covid[3].read_bytes())
    capsys.readouterr()
    assert main(["check", "data=manifest", "data.manifest=manifest.csv", f"data.root={films}"]) == 1
    said = capsys.readouterr().out
    assert f"1 image: can't be read\n  COVID/images/{covid[0].name}: not an image" in said
    assert "3 images: changed since manifest.csv was written" in said
    assert "2 images: copies with different labels" in said
    assert f"COVID/images/{covid[3].name}: COVID, in set of copies 1" in said


def test_a_contact_sheet_shows_each_class(films: Path) -> None:
    data("show", films, "--each", "3", "--to", "sheet.png")
    with Image.open("sheet.png") as sheet:
        pixels = np.asarray(sheet)
    assert pixels.shape[0] > 3 * 96
    assert pixels.min() < 50
    data("show", films, "--to", "sheet.png")
    one = next(films.rglob("*.png"))
    with pytest.raises(UserError, match="exists and is no contact sheet"):
        data("show", films, "--to", str(one))
    with pytest.raises(UserError, match="in a folder that does not exist"):
        data("index", films, "--to", "nowhere/manifest.csv")
    with pytest.raises(UserError, match="--each 0 shows nothing"):
        data("show", films, "--each", "0")


def test_mistakes_are_told_in_a_line(films: Path, cxr_here: Command) -> None:
    for arguments, answer in (
        (["data", "index", "data=folder"], "add data.root=FOLDER"),
        (["data", "index", "data=folder", "data.root=missing"], "data.root=missing does not exist"),
        (["data", "index", "data=manifest"], "add data.manifest=FILE"),
    ):
        found = cxr_here(*arguments, folder=films.parent)
        assert (found.returncode, found.stdout) == (2, "")
        assert answer in found.stderr
        assert len(found.stderr.strip().splitlines()) == 1


def test_a_class_whose_name_no_store_can_hold_is_told(tmp_path: Path, phantoms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run would be refused for it, so `check` does not say that nothing is wrong."""
    (tmp_path / "Normal").symlink_to(phantoms / "Normal")
    (tmp_path / ("C" * 255)).symlink_to(phantoms / "COVID")
    assert main(["check", "data=folder", f"data.root={tmp_path}"]) == 1
    assert "a class has so long a name" in capsys.readouterr().out
