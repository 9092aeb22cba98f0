"""`cxr data profile`: the page, what it names, and what it never shows."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.commands.data import main
from cxr.errors import UserError
from tests.data.images.test_dicom import dicom

PLACE = {
    "marker": "(small bright marks|the four corners)",
    "border": "the outer frame",
    "exposure": "brightness",
    "resolution": "sharpness",
}


class Page(HTMLParser):
    """The tags of a page, its links, its pictures, the rows of its tables, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []
        self.alts: list[str] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attributes if name in ("src", "href")]
        self.alts += [value or "" for name, value in attributes if name == "alt"]
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        if self.rows and self.rows[-1] and self.lasttag in ("td", "th"):
            self.rows[-1][-1] += data.strip()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_home))
    monkeypatch.setenv("CXR_CACHE", str(cache_home / "kept"))
    monkeypatch.chdir(tmp_path)


def test_profile_of_phantoms_names_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one.html", "two.html"):
        assert main(["profile", "data=phantom", "data.phantom.count=120", "--to", name]) == 0
    assert "No evidence of a shortcut: no trait that was measured predicts the class" in capsys.readouterr().out
    assert Path("one.html").read_bytes() == Path("two.html").read_bytes()
    page = Page(Path("one.html"))
    assert all(link.startswith(("data:image/", "#")) for link in page.links)
    assert "script" not in page.tags
    assert "url(" not in Path("one.html").read_text()
    assert [row[-1] for row in page.rows if row[0] == "96 x 96"] == ["120"]
    assert any(row[0] == "the outer frame" for row in page.rows)
    assert {"train", "val", "test", "L", "PNG"} <= {row[0] for row in page.rows}
    assert any(alt.startswith("Chest image of class Viral Pneumonia: Viral Pneumonia/images/") for alt in page.alts)


@pytest.mark.parametrize("shortcut", PLACE)
def test_planted_shortcut_is_named_first(shortcut: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["profile", "data=phantom", "data.phantom.count=120", f"data.phantom.shortcut={shortcut}"])
    out = capsys.readouterr().out
    assert re.search(rf"profile.html: (Some|Strong) evidence of a shortcut: {PLACE[shortcut]}", out), out


def test_names_of_files_are_text_and_unreadable_files_are_listed(phantoms: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(phantoms, tmp_path / "images"))
    for image in (root / "Viral Pneumonia/images").iterdir():
        image.rename(image.with_name(f"<script>{image.stem}<b>.png"))
    (root / "Normal/images/<script>bad.png").write_bytes(b"rubbish")
    Image.fromarray(np.zeros((96, 96), np.uint8)).save(root / "Normal/images/black.png")
    main(["profile", "data=folder", f"data.root={root}"])
    page = Page(Path("profile.html"))
    assert "script" not in page.tags
    assert page.text.count("<script>") > 2
    assert ["Normal/images/<script>bad.png", "not an image that can be recognised"] in page.rows
    assert any("/black.png: " in alt and "half of all images have" in alt for alt in page.alts)
    assert "Not known: a class has 8 groups of images, and a probe needs 10" in page.text


def test_attributes_of_dicom_are_counted_and_no_person_is_named(phantoms: Path, tmp_path: Path) -> None:
    for label, view in (("COVID", "AP"), ("Normal", "PA")):
        (tmp_path / "images" / label).mkdir(parents=True)
        for number, path in enumerate(sorted((phantoms / label / "images").iterdir())[:6]):
            levels = np.asarray(Image.open(path), np.uint16)
            tags = {
                "ViewPosition": view,
                "PatientAge": "045Y",
                "InstitutionName": "Saint Elsewhere",
                "PatientID": f"id{label}{number}",
            }
            start = 132 if number == 0 else 0  # one file of each class has no preamble
            (tmp_path / "images" / label / f"{number}.dcm").write_bytes(dicom(levels, **tags)[start:])
    main(["profile", "data=folder", f"data.root={tmp_path / 'images'}"])
    page = Page(Path("profile.html"))
    for row in (["AP", "6", "0", "6"], ["PA", "0", "6", "6"], ["45", "6", "6", "12"], ["DICOM", "6", "6", "12"]):
        assert row in page.rows
    written = Path("profile.html").read_text()
    assert not [name for name in ("Doe^Jane", "idCOVID", "19500101", "Saint Elsewhere") if name in written]


def test_only_a_profile_is_overwritten(phantoms: Path) -> None:
    arguments = ["profile", "data=folder", f"data.root={phantoms}", "--to"]
    Path("mine.html").write_text("<html>mine</html>")
    with pytest.raises(UserError, match=r"mine.html exists and is no profile that cxr wrote"):
        main([*arguments, "mine.html"])
    assert Path("mine.html").read_text() == "<html>mine</html>"
    for file, why in (("profile.png", "is no HTML file"), ("nowhere/profile.html", "does not exist")):
        with pytest.raises(UserError, match=why):
            main([*arguments, file])
    for _ in range(2):
        assert main([*arguments, "profile.html"]) == 0


def test_column_that_predicts_the_class_is_named(phantoms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever its name; numbers are shown as ranges, and rare values together."""
    paths = sorted(
        str(path.relative_to(phantoms)) for path in phantoms.rglob("*.png") if not path.parent.parent.name.startswith("V")
    )
    label = pd.Series(paths).str.partition("/")[0]
    view = np.where(label == "COVID", "AP", "PA")
    more = {"corners": view, "age": np.arange(len(paths)), "sex": ["F", "M", *["F"] * (len(paths) - 2)], "format": "a"}
    pd.DataFrame({"path": paths, "label": label, "source": view, **more}).to_csv("table.csv", index=False)
    columns = "data.columns.more=[corners,age,sex,format]"
    main(["profile", "data=manifest", "data.manifest=table.csv", f"data.root={phantoms}", columns, "split=three_way"])
    out = capsys.readouterr().out
    assert "Strong evidence of a shortcut: " in out
    assert "the source alone: AUC 1.000" in out
    assert "corners (a column) alone: AUC 1.000" in out
    rows = {row[0]: row[-1] for row in Page(Path("profile.html")).rows}
    assert rows["others"] == "1"
    assert rows["0 to 5"] == "6"
    assert "M" not in rows
