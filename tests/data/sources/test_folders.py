"""Class folders as releases of the database name them, and folders of users."""

import os
import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import pytest
from PIL import Image

from cxr.config.schema import DataConfig
from cxr.data.image_list import ImageList
from cxr.data.sources.folders import find_images
from cxr.errors import UserError
from tests.conftest import Compose


def touch(root: Path, *paths: str) -> Path:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    return root


@pytest.mark.parametrize(
    "names",
    [("COVID", "Normal", "Viral Pneumonia"), ("COVID-19", "NORMAL", "Viral Pneumonia"), ("covid19", "normal", "viral_pneumonia")],
)
@pytest.mark.parametrize("level", ["", "images/"])
def test_folder_names_of_every_release(names: tuple[str, ...], level: str, tmp_path: Path, compose_config: Compose) -> None:
    touch(tmp_path, *(f"{name}/{level}1.png" for name in names), *(f"{name}/masks/1.png" for name in names if level))
    touch(tmp_path, "COVID.metadata.xlsx", "Lung_Opacity/images/1.png")
    data = compose_config("data=radiography", f"data.root={tmp_path}").data
    images = find_images(data, tmp_path)
    assert images.classes == ("COVID", "Normal", "Viral Pneumonia")
    assert images.paths == tuple(f"{name}/{level}1.png" for name in names)
    assert list(images.images["label"]) == list(images.classes)


def test_any_folder_sorted_with_subfolders_and_without_hidden_or_other_files(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.PNG", "b/patient/1.jpeg", "a/10.tif", "a/9.webp", "a/notes.txt", "a/._9.png", ".git/x.png", "a/.tmp/y.png")
    images = find_images(DataConfig(), tmp_path)
    assert images.classes == ("a", "b")
    assert images.paths == ("a/10.tif", "a/9.webp", "b/2.PNG", "b/patient/1.jpeg")
    assert images.class_counts() == {"a": 2, "b": 2}


def test_folder_around_all_is_recognised(tmp_path: Path, compose_config: Compose) -> None:
    inner = tmp_path / "COVID-19_Radiography_Dataset"
    touch(inner, "COVID/images/1.png", "Normal/images/1.png", "Viral Pneumonia/images/1.png", "COVID.metadata.txt")
    images = find_images(compose_config("data=radiography", f"data.root={tmp_path}").data, tmp_path)
    assert images.class_counts() == {"COVID": 1, "Normal": 1, "Viral Pneumonia": 1}
    assert images.paths[0] == f"{inner.name}/COVID/images/1.png"


def columns(images: ImageList) -> dict[str, tuple[str, ...]]:
    """Label, part, source and group of each image, of those that are known."""
    frame = images.images[["label", "split", "source", "group"]]
    return {str(name): tuple(values) for name, values in frame.items() if (values != "").any()}


def grid(*levels: Iterable[str], files: int = 2) -> list[str]:
    """The paths of some files in each combination of folders."""
    return ["/".join((*names, f"{'-'.join(names)}-{number}.png")) for names in product(*levels) for number in range(files)]


CLASSES = ("NORMAL", "PNEUMONIA")
LAYOUTS = {
    "class": (grid(CLASSES), "class"),
    "class of numbers": (grid("012"), "class"),
    "patients in classes": (grid(["COVID"], ["p1", "p2", "p3"]) + grid(["Normal"], ["p1", "p2"]), "class/patient"),
    "patients by name": (grid(["COVID"], ["Ann", "Bob"]) + grid(["Normal"], ["Cy", "Di"]), "class/patient"),
    "views in classes": (grid(CLASSES, ["PA", "AP"]), "class"),
    "parts": (grid(["train", "val", "test"], CLASSES), "part/class"),
    "parts in capitals": (grid(["Training Set", "TEST"], CLASSES), "part/class"),
    "parts of the images": (grid(["train_images", "valid_images"], CLASSES, ["images"]), "part/class"),
    "parts in classes": (grid(CLASSES, ["train", "test"]), "class/part"),
    "parts with patients": (grid(["train", "test"], CLASSES, ["patient00001", "patient00002"]), "part/class/patient"),
    "parts in a folder": (grid(["chest_xray"], ["train", "val"], CLASSES), "*/part/class"),
    "hospitals": (grid(["Hospital A", "Hospital B"], CLASSES), "source/class"),
    "numbered hospitals": (grid(["site1", "site2", "site3"], CLASSES), "source/class"),
    "hospitals by name": (grid(["Geneva", "Lima"], CLASSES), "source/class"),
    "hospitals in classes": (grid(CLASSES, ["Geneva", "Lima"]), "class/source"),
    "parts, hospitals, classes": (grid(["train", "test"], ["Geneva", "Lima"], CLASSES), "part/source/class"),
}


@pytest.mark.parametrize(("paths", "layout"), LAYOUTS.values(), ids=LAYOUTS)
def test_layout_is_found_by_looking(paths: list[str], layout: str, tmp_path: Path) -> None:
    images = find_images(DataConfig(), touch(tmp_path, *paths))
    chosen = find_images(DataConfig(layout=layout), tmp_path)
    assert columns(images) == columns(chosen)
    assert len(images.images) == len(paths)
    roles = {role for role in layout.split("/") if role not in ("*", "class")}
    assert {"split": "part", "source": "source", "group": "patient"}.keys() >= columns(images).keys() - {"label"}
    assert len(columns(images)) == 1 + len(roles)
    assert (f"Folders are read as {layout}" in images.reading) == bool(roles)


def test_parts_classes_and_patients_are_those_of_the_folders(tmp_path: Path) -> None:
    images = find_images(DataConfig(), touch(tmp_path, *grid(["Train", "Testing"], CLASSES, ["patient1", "patient2"], files=1)))
    assert columns(images)["label"] == ("NORMAL", "NORMAL", "PNEUMONIA", "PNEUMONIA") * 2
    assert columns(images)["split"] == ("Testing",) * 4 + ("Train",) * 4
    assert columns(images)["group"][:2] == ("Testing/NORMAL/patient1", "Testing/NORMAL/patient2")


TWO_READINGS = {
    "two grids": (
        grid(["Geneva", "Lima"], ["red", "blue"]),
        "classes blue, red (data.layout=source/class), or classes Geneva, Lima",
    ),
    "nested": (grid(["data"], ["covid", "normal"]) + grid(["docs"], ["figures"]), "(data.layout=*/class), or classes data, docs"),
}
NO_CLASSES = {
    "parts only": (grid(["train", "test"]), "no two folders of classes"),
    "parts beside a class": (grid(["train", "test", "COVID"]), "has COVID beside the parts test, train"),
    "one part beside a class": (grid(["train", "COVID"]), "has COVID beside the parts train"),
    "archives": (grid(["images_001", "images_002"]), "2 numbered folders (images_001, images_002), which are no classes"),
    "patients": (grid(["train", "valid"], [f"patient{number:05}" for number in range(9)]), "9 numbered folders"),
    "files alone": (["1.png", "2.dcm"], "2 images, none of them in a folder of a class"),
    "one folder": (grid(["chest"]), "no two folders of classes"),
    "nothing": (["notes.txt"], "holds no images"),
}


@pytest.mark.parametrize(("paths", "answer"), [*TWO_READINGS.values(), *NO_CLASSES.values()], ids=[*TWO_READINGS, *NO_CLASSES])
def test_folder_that_could_mean_anything_is_rejected(paths: list[str], answer: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(answer)):
        find_images(DataConfig(), touch(tmp_path, *paths))


@pytest.mark.parametrize("levels", [(["COVID"],), (["COVID"], ["images"]), (["train", "test"], ["COVID"])])
def test_single_folder_with_the_name_of_a_finding_is_a_class(levels: tuple[list[str], ...], tmp_path: Path) -> None:
    assert find_images(DataConfig(), touch(tmp_path, *grid(*levels))).classes == ("COVID",)


def test_chosen_classes_tell_which_level_is_theirs(tmp_path: Path) -> None:
    touch(tmp_path, *grid(["Geneva", "Lima"], ["red", "blue"]))
    assert columns(find_images(DataConfig(classes=["red", "blue"]), tmp_path))["source"][0] == "Geneva"
    assert columns(find_images(DataConfig(classes=["Lima", "Geneva"]), tmp_path))["source"][0] == "blue"


def test_files_that_are_left_out_are_counted_by_reason(tmp_path: Path) -> None:
    touch(tmp_path, "a/images/1.png", "a/Masks/1.png", "a/Masks/2.png", "a/beside.png", "a/more/2.png", "b/1.png", "b/notes.txt")
    touch(tmp_path, "flat.png", "__MACOSX/a/1.png", "b/Thumbs.db", "b/.DS_Store", ".git/x.png")
    images = find_images(DataConfig(), tmp_path)
    assert images.paths == ("a/images/1.png", "b/1.png")
    assert images.notes() == ["Files left out: 2 beside a/images, 1 in no folder of a class, 2 lung masks, 1 no image (.txt)"]


def test_archive_with_a_copy_of_itself_is_read_once(tmp_path: Path) -> None:
    parts = grid(["train", "val", "test"], CLASSES)
    touch(tmp_path / "chest_xray", *parts, *(f"chest_xray/{path}" for path in parts), "__MACOSX/chest_xray/train/NORMAL/._1.png")
    images = find_images(DataConfig(), tmp_path)
    assert len(images.paths) == len(parts)
    assert images.left_out == {"in a folder chest_xray that is a copy of what is beside it": len(parts)}


def test_image_is_known_by_its_content(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/empty", "b/1.png")
    Image.new("L", (32, 32)).save(tmp_path / "a/2.jfif", "JPEG")
    Image.new("L", (32, 32)).save(tmp_path / "a/3", "GIF")
    (tmp_path / "b/2.ima").write_bytes(bytes(128) + b"DICM" + bytes(64))
    os.mkfifo(tmp_path / "b/pipe")
    images = find_images(DataConfig(), tmp_path)
    assert images.paths == ("a/1.png", "a/2.jfif", "a/3", "b/1.png", "b/2.ima")
    assert images.left_out == {"no image (without suffix)": 2}


def test_table_beside_images_without_classes_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "images_001/images/1.png", "images_002/images/2.png")
    (tmp_path / "Data_Entry.csv").write_text("Image Index,Finding Labels,Age\n1.png,Effusion,4\n2.png,No Finding,5\n")
    answer = f"data=manifest data.manifest={tmp_path / 'Data_Entry.csv'} data.root={tmp_path}$"
    with pytest.raises(UserError, match=answer):
        find_images(DataConfig(), tmp_path)


def test_two_classes_can_not_share_a_metric_name(tmp_path: Path) -> None:
    touch(tmp_path, "viral pneumonia/1.png", "viral_pneumonia/1.png")
    with pytest.raises(UserError, match="differ only in case or punctuation"):
        find_images(DataConfig(), tmp_path)


def test_links_are_followed_but_never_in_a_circle(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/3.png", "images/a/1.png", "images/b/2.png")
    (tmp_path / "images/a/ward").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "images/a")
    assert find_images(DataConfig(), tmp_path / "images").paths == ("a/1.png", "a/ward/3.png", "b/2.png")


def test_classes_are_chosen_and_merged(tmp_path: Path, compose_config: Compose) -> None:
    touch(tmp_path, "COVID/images/1.png", "Lung_Opacity/images/1.png", "Normal/images/1.png", "Viral Pneumonia/images/1.png")
    merge = "+data.merge={pneumonia: [Viral Pneumonia, Lung_Opacity]}"
    images = find_images(compose_config("data=radiography", f"data.root={tmp_path}", merge).data, tmp_path)
    assert images.class_counts() == {"COVID": 1, "Normal": 1, "pneumonia": 2}
    assert find_images(DataConfig(classes=["Normal", "Lung_Opacity"]), tmp_path).classes == ("Normal", "Lung_Opacity")
    images = find_images(DataConfig(merge={"ill": ["COVID", "Lung_Opacity", "Viral Pneumonia"]}), tmp_path)
    assert images.class_counts() == {"ill": 3, "Normal": 1}


@pytest.mark.parametrize(
    ("merge", "answer"),
    [({"x": ["a"], "y": ["a"]}, "counts a as x and as y"), ({"z": ["q"]}, "makes z of classes that are not in data.classes")],
)
def test_contradictory_merges_are_refused(merge: dict[str, list[str]], answer: str, tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "b/1.png")
    with pytest.raises(UserError, match=answer):
        find_images(DataConfig(classes=["a", "b"], merge=merge), tmp_path)
