"""Tables of users: read in every usual format, or rejected with a reason."""

from pathlib import Path

import pandas as pd
import pytest

from cxr.config.schema import ColumnsConfig, DataConfig
from cxr.data.image_list import ImageList
from cxr.data.manifest import COLUMNS
from cxr.data.sources.locate import locate_images
from cxr.data.sources.tables import read_table
from cxr.errors import UserError
from cxr.progress import Progress

IMAGES = ("a/1.png", "a/2.png", "b/3.png")
LABELS = ("ill", "ill", "NA")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Three images, by name alone."""
    for name in IMAGES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def read(file: Path, **config: object) -> ImageList:
    return read_table(file, file.parent, DataConfig(**config))  # type: ignore[arg-type]


def written(root: Path, text: str | bytes, name: str = "table.csv") -> Path:
    (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return root / name


PLAIN = "path,label\na/1.png,ill\na/2.png,ill\nb/3.png,NA\n"
SPELLINGS = {
    "plain": PLAIN,
    "windows line ends": PLAIN.replace("\n", "\r\n"),
    "mixed line ends": PLAIN.replace("\n", "\r\n", 2),
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "semicolons": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "quoted": 'path,label\n"a/1.png","ill"\n"a/2.png","ill"\n"b/3.png","NA"\n',
    "no last line end": PLAIN.rstrip(),
    "dots": PLAIN.replace("a/1", "./a//1"),
    "backslashes": PLAIN.replace("/", "\\"),
    "blanks": PLAIN.replace(",", ", "),
    "empty columns": PLAIN.replace("\n", ",,\n"),
    "empty lines": PLAIN.replace("\n", "\n,\n") + "\n",
    "utf-16": PLAIN.encode("utf-16"),
    "bars": PLAIN.replace(",", "|"),
    "a line for the separator": "sep=;\n" + PLAIN.replace(",", ";"),
    "a row for each box": PLAIN + "b/3.png,NA\n",
    "names of files alone": PLAIN.replace("a/", "").replace("b/", ""),
    "names without suffix": PLAIN.replace("a/", "").replace("b/", "").replace(".png", ""),
    "folders of another machine": PLAIN.replace("a/", "Release-1/small/a/"),
    "usual names": PLAIN.replace("path,label", "Image Index,Finding Labels"),
    "columns by their values": PLAIN.replace("path,label", "Unnamed: 0,Class"),
    "other columns": "age,path,label\n1,a/1.png,ill\n2,a/2.png,ill\n,b/3.png,NA\n",
}


@pytest.mark.parametrize("text", SPELLINGS.values(), ids=SPELLINGS)
def test_every_spelling_of_a_table_is_read(text: str | bytes, root: Path) -> None:
    images = read(written(root, text))
    assert images.paths == IMAGES
    assert tuple(images.images["label"]) == LABELS
    assert images.classes == ("NA", "ill")
    assert not images.images[["source", "group", "split", "sha256"]].to_numpy().any()


def test_western_european_text_and_excel_are_read(root: Path) -> None:
    table = pd.DataFrame({"path": IMAGES, "label": ["L\u00e4sion", "L\u00e4sion", "NA"], "patient_id": [7, 7, None]})
    table.to_csv(root / "t.csv", index=False, sep=";", encoding="cp1252")
    table.to_excel(root / "t.xlsx", index=False, startrow=2)
    for name in ("t.csv", "t.xlsx"):
        images = read(root / name)
        assert list(images.images["label"]) == list(table["label"])
        assert images.images["group"].iloc[0] == images.images["group"].iloc[1] != ""
        assert images.reading == "Columns of the table: group from patient_id. Others: data.columns.NAME=COLUMN."


def test_several_findings_in_a_label_are_counted(root: Path) -> None:
    images = read(written(root, PLAIN.replace("2.png,ill", "2.png,ill|old")))
    assert "1 image of several findings, as ill|old: each combination is a class of its own" in images.reading
    assert images.classes == ("NA", "ill", "ill|old")


@pytest.mark.parametrize("name", ["view", "View Position", "ViewPosition", "AP/PA", "Projection"])
def test_view_of_a_film_is_kept(name: str, root: Path) -> None:
    file = written(root, f"path,label,{name}\na/1.png,ill,AP\na/2.png,ill,PA\nb/3.png,NA,\n")
    assert list(read(file).images["view"]) == ["AP", "PA", ""]
    assert "view" not in read(file, columns=ColumnsConfig(view=None)).images
    under_its_name = read(file, columns=ColumnsConfig(more=[name])).images
    assert list(under_its_name[name]) == ["AP", "PA", ""]
    assert ("view" in under_its_name) == (name == "view")


def test_named_column_has_to_be_there(root: Path) -> None:
    with pytest.raises(UserError, match=r"has no column ward: .*name yours with data.columns.source=COLUMN"):
        read(written(root, PLAIN), columns=ColumnsConfig(source="ward"))


def test_parquet_numbers_and_columns_of_other_names(root: Path) -> None:
    table = pd.DataFrame({"file": IMAGES, "grade": [1, 1, 2], "patient": [7, 7, None], "site": ["x", None, "y"]})
    table.to_parquet(root / "t.parquet")
    columns = ColumnsConfig(path="file", label="grade", group="patient", source="site")
    images = read(root / "t.parquet", columns=columns).images
    assert list(images["label"]) == ["1", "1", "2"]
    assert list(images["source"]) == ["x", "", "y"]
    assert images["group"].iloc[0] == images["group"].iloc[1] != ""
    assert images["group"].iloc[2] == ""
    table.to_csv(root / "t.csv", index=False)
    again = read(root / "t.csv", columns=ColumnsConfig(path="file", label="grade", group=None))
    assert not again.images["group"].any()


def test_absolute_paths_below_the_root_and_absent_files_with_skip_are_read(root: Path) -> None:
    file = written(root, PLAIN.replace("a/1", f"{root}/a/1") + "b/9.png,NA\n")
    assert read(file, on_bad_image="skip").paths == (*IMAGES, "b/9.png")


def test_classes_are_chosen_and_merged(root: Path) -> None:
    file = written(root, PLAIN)
    assert read(file, classes=["ill", "NA"]).classes == ("ill", "NA")
    assert read(file, merge={"any": ["ill"]}).class_counts() == {"NA": 1, "any": 2}
    with pytest.raises(UserError, match="counts sick as any, and there is no such class"):
        read(file, merge={"any": ["sick"]})
    with pytest.raises(UserError, match=r"no image of class Ill: did you mean ill\?"):
        read(file, classes=["Ill", "NA"])


def test_class_that_others_count_as_keeps_its_own_images(root: Path, quiet: Progress) -> None:
    file = written(root, PLAIN.replace("2.png,ill", "2.png,sick"))
    for classes in (None, ["NA", "ill"]):
        assert read(file, merge={"ill": ["sick"]}, classes=classes).class_counts() == {"NA": 1, "ill": 2}
    one = DataConfig(manifest=str(file), merge={"any": ["ill", "sick", "NA"]})
    assert locate_images(one, quiet.stage, least_classes=1).class_counts() == {"any": 3}
    with pytest.raises(UserError, match=r"there is one class only \(any\)"):
        locate_images(one, quiet.stage)


def test_manifest_has_its_hashes_and_merged_labels(root: Path) -> None:
    rows = pd.DataFrame(
        {"path": IMAGES, "label": ["any", "any", "NA"], "sha256": ["x", "y", "z"], "split": ["train", "val", "test"]}
    )
    rows.reindex(columns=list(COLUMNS)).to_csv(root / "m.csv", index=False)
    images = read(root / "m.csv", merge={"any": ["ill"]}, classes=["NA", "any"])
    assert list(images.images["sha256"]) == ["x", "y", "z"]
    assert images.classes == ("NA", "any")
    assert read(root / "m.csv", merge={"some": ["any"]}).class_counts() == {"NA": 1, "some": 2}
    rows.to_csv(root / "own.csv", index=False)  # a column of that name in any other table may be of anything
    assert not read(root / "own.csv").images["sha256"].any()


WRONG = {
    "path,grade\na/1.png,ill\n": "has no column label: .*name yours with data.columns.label=COLUMN",
    "path,class,Diagnosis\na/1.png,ill,2\n": "has several columns that may be the label, class, Diagnosis: choose one",
    "": "lists no images",
    "path,label\n": "lists no images",
    "path,label\na/1.png,ill,too,many\n": r"can't be read as a table \(row 2 has 4 columns and the first row 2\)",
    "path,label,path\na/1.png,ill,x\n": "two of its columns are called path",
    "path,label\na/1.png,\n": "has no label for a/1.png",
    "path,label\n../a/1.png,ill\n": "lists '../a/1.png', which is not below",
    "path,label\n/etc/passwd,ill\n": "lists '/etc/passwd', which is not below",
    "path,label\nC:\\x.png,ill\n": "which is not below",
    "path,label\n,ill\n": "lists '', which is not below",
    f"path,label\n{'very long ' * 60},ill\nb/3.png,NA\n": "1 image of .* is not in",
    "path,label\na/1.png,ill\na/1.png,NA\n": "lists a/1.png with several labels",
    "path,label\na/1.png,ill\na/9.png,NA\nb/9.png,NA\n": "2 images of .* are not in .*, the first of them a/9.png",
}


@pytest.mark.parametrize(("text", "answer"), WRONG.items())
def test_wrong_table_is_refused(text: str, answer: str, root: Path) -> None:
    with pytest.raises(UserError, match=answer):
        read(written(root, text))


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("missing.csv", "does not exist"),
        ("a", "is a folder"),
        ("x.xls", "a .xls file is not read: save it as .xlsx or as CSV UTF-8"),
        ("x.xlsx", "save it again as .xlsx or as CSV UTF-8"),
        ("x.csv", "can't be read as a table"),
        ("x.parquet", "can't be read as a table"),
    ],
)
def test_file_that_is_no_table_is_refused(name: str, answer: str, root: Path) -> None:
    for suffix in ("csv", "parquet", "xls", "xlsx"):
        written(root, b"rubbish\0", f"x.{suffix}")
    with pytest.raises(UserError, match=answer):
        read(root / name)


def test_more_columns_are_read_as_text(root: Path) -> None:
    table = written(root, "path,label,sex,age\na/1.png,A, f ,041\na/2.png,A,m,\nb/3.png,B,m,7\n")
    images = read(table, columns=ColumnsConfig(more=["sex", "age"])).images
    assert images[["sex", "age"]].to_numpy().tolist() == [["f", "041"], ["m", ""], ["m", "7"]]
    with pytest.raises(UserError, match=r"has no column sx, which data.columns.more names: did you mean sex"):
        read(table, columns=ColumnsConfig(more=["sx"]))
    assert "sex" not in read(table).images
