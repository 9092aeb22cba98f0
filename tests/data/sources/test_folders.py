"""Class folders as releases of the database name them, and folders of users."""

from pathlib import Path

import pytest

from cxr.config.schema import DataConfig
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


def test_folder_above_is_recognised(tmp_path: Path, compose_config: Compose) -> None:
    inner = tmp_path / "COVID-19_Radiography_Dataset"
    touch(inner, "COVID/images/1.png", "Normal/images/1.png", "Viral Pneumonia/images/1.png")
    data = compose_config("data=radiography", f"data.root={tmp_path}").data
    with pytest.raises(UserError, match=f"did you mean data.root={inner}"):
        find_images(data, tmp_path)


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
