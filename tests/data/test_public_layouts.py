"""The layouts of public collections, as empty files: read at once, or by the command that the message names."""

import re
import shlex
from pathlib import Path

import pytest

from cxr.data.image_list import ImageList
from cxr.data.sources.locate import locate_images
from cxr.errors import UserError
from cxr.progress import Progress
from tests.conftest import Compose
from tests.data.sources.test_folders import grid, touch

READ = {
    "Kaggle pneumonia": (
        [*grid(["chest_xray"], ["train", "test", "val"], ["NORMAL", "PNEUMONIA"]), "__MACOSX/chest_xray/._x.jpeg"],
        {"NORMAL": 6, "PNEUMONIA": 6},
        {"train", "test", "val"},
    ),
    "COVID-19 Radiography Database": (
        grid(["COVID-19_Radiography_Dataset"], ["COVID", "Lung_Opacity", "Normal", "Viral Pneumonia"], ["images", "masks"]),
        {"COVID": 2, "Lung_Opacity": 2, "Normal": 2, "Viral Pneumonia": 2},
        {""},
    ),
    "COVIDx": (grid(["train", "test"], ["positive", "negative"]), {"negative": 4, "positive": 4}, {"train", "test"}),
    "Tuberculosis": (grid(["TB_Chest_Radiography_Database"], ["Normal", "Tuberculosis"]), {"Normal": 2, "Tuberculosis": 2}, {""}),
}
ROWS = [(f"0000000{number}_00{number}", "No Finding" if number % 2 else "Pneumonia") for number in range(1, 9)]
# Files of each collection, its table, and options of ours that its columns need.
TABLES = {
    "NIH ChestX-ray14": (
        [f"images_00{number % 2 + 1}/images/{name}.png" for number, (name, _) in enumerate(ROWS)],
        "Data_Entry_2017.csv",
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,\n"
        + "".join(f"{name}.png,{label},0,{name[:8]},58,\n" for name, label in ROWS),
    ),
    "RSNA": (
        [f"stage_2_train_images/{name}.dcm" for name, _ in ROWS] + ["stage_2_test_images/x.dcm"],
        "stage_2_detailed_class_info.csv",
        "patientId,class\n" + "".join(f"{name},{label}\n" * 2 for name, label in ROWS),
    ),
    "VinDr": (
        [f"train/{name}.dicom" for name, _ in ROWS] + ["test/x.dicom"],
        "train.csv",
        "image_id,class_name,x_min\n" + "".join(f"{name},{label},\n" for name, label in ROWS),
    ),
    "CheXpert": (
        [f"train/patient{name}/study1/view1_frontal.jpg" for name, _ in ROWS] + ["valid/patient9/study1/view1_frontal.jpg"],
        "train.csv",
        "Path,Sex,No Finding,Pneumonia\n"
        + "".join(
            f"CheXpert-v1.0/train/patient{name}/study1/view1_frontal.jpg,F,{label == 'No Finding':d},{label == 'Pneumonia':d}\n"
            for name, label in ROWS
        ),
    ),
}
UNLABELLED = {
    "Montgomery": (
        [*grid(["MontgomerySet"], ["CXR_png"]), *grid(["MontgomerySet"], ["ManualMask"], ["leftMask", "rightMask"])],
        "no two folders of classes",
    ),
    "files of one patient each": (grid([f"patient{number:05}" for number in range(30)], files=1), "30 numbered folders"),
}


def listed(compose_config: Compose, *overrides: str) -> ImageList:
    return locate_images(compose_config(*overrides).data, Progress().stage)


@pytest.mark.parametrize(("paths", "classes", "parts"), READ.values(), ids=READ)
def test_collection_is_read_from_its_folder(
    paths: list[str], classes: dict[str, int], parts: set[str], tmp_path: Path, compose_config: Compose
) -> None:
    images = listed(compose_config, "data=folder", f"data.root={touch(tmp_path, *paths)}")
    assert images.class_counts() == classes
    assert set(images.images["split"]) == parts


@pytest.mark.parametrize(("paths", "name", "table"), TABLES.values(), ids=TABLES)
def test_message_names_the_command_that_reads_a_collection(
    paths: list[str], name: str, table: str, tmp_path: Path, compose_config: Compose
) -> None:
    (touch(tmp_path, *paths) / name).write_text(table)
    with pytest.raises(UserError, match=r"since .* lists images: cxr (data=manifest .*)$") as refused:
        listed(compose_config, "data=folder", f"data.root={tmp_path}")
    command = re.sub(r".*lists images: cxr ", "", str(refused.value)).replace("=COLUMN", "='No Finding'")
    images = listed(compose_config, *shlex.split(command.replace("'No Finding'", "\"'No Finding'\"")))
    assert sum(images.class_counts().values()) == len(ROWS)
    assert len(images.classes) == 2


@pytest.mark.parametrize(("paths", "answer"), UNLABELLED.values(), ids=UNLABELLED)
def test_collection_without_labels_is_rejected(paths: list[str], answer: str, tmp_path: Path, compose_config: Compose) -> None:
    with pytest.raises(UserError, match=answer):
        listed(compose_config, "data=folder", f"data.root={touch(tmp_path, *paths)}")
