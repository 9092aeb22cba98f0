"""The manifest: the same bytes for the same images, copies in one group, and nothing else joined."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from rich.console import Console

from cxr.cache.rows import Rows
from cxr.config.schema import Config, DataConfig, SplitConfig
from cxr.data.dataset import Dataset, read_dataset
from cxr.data.identity.annotate import annotate
from cxr.data.image_list import image_list_of
from cxr.data.images.image_file import ImageFacts
from cxr.data.images.perceptual import perceptual_hashes_of
from cxr.data.images.store import ImagePixels
from cxr.data.manifest import COLUMNS, changes, read_manifest, write_manifest
from cxr.data.sources.locate import locate_images
from cxr.data.split import check_split
from cxr.errors import UserError
from cxr.progress import Progress
from tests.conftest import REAL_IMAGES

stage = Progress(Console(quiet=True)).stage


def dataset(root: Path, split: SplitConfig | None = None, **data: object) -> Dataset:
    config = Config(data=DataConfig(root=str(root), **data), split=split or SplitConfig())  # type: ignore[arg-type]
    image_list = locate_images(config.data, stage)
    check_split(image_list, config.split)
    return read_dataset(config, image_list, stage)


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (40, 40), np.uint8)


def test_manifest_has_the_same_bytes_in_any_order_of_files(phantoms: Path, tmp_path: Path) -> None:
    files = sorted(path.relative_to(phantoms) for path in phantoms.rglob("*.png"))
    shuffled = [files[index] for index in np.random.default_rng(0).permutation(len(files))]
    for name, order in (("one", files), ("other", shuffled)):
        for file in order:
            (tmp_path / name / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(phantoms / file, tmp_path / name / file)
        write_manifest(dataset(tmp_path / name).manifest, tmp_path / f"{name}.csv")
    one, other = ((tmp_path / f"{name}.csv").read_bytes() for name in ("one", "other"))
    assert one == other
    assert one.decode().splitlines()[0].split(",") == list(COLUMNS)
    write_manifest(read_manifest(tmp_path / "one.csv").sample(frac=1, random_state=0), tmp_path / "one.csv")
    assert (tmp_path / "one.csv").read_bytes() == one


def plant_copies(folder: Path, images: list[Path]) -> None:
    """Copies of some images in all ways: exact, another format, JPEG, another size, moved by a pixel."""
    for path in images:
        with Image.open(path) as image:
            grey = image.convert("L")
        values = np.asarray(grey)
        ways = {
            "exact.png": grey,
            "other.bmp": grey,
            "lossy.jpg": grey,
            "larger.png": grey.resize((grey.width * 2, grey.height * 2), Image.Resampling.BICUBIC),
            "right.png": Image.fromarray(np.roll(values, 1, axis=1)),
            "down.png": Image.fromarray(np.roll(values, 1, axis=0)),
        }
        for way, copy in ways.items():
            copy.save(folder / f"{path.stem} {way}", quality=75)


@pytest.mark.skipif(not REAL_IMAGES.is_dir(), reason="the real images are not on this machine")
def test_planted_copies_of_real_images_are_grouped_and_no_two_images_are(tmp_path: Path) -> None:
    for name in ("COVID", "Normal", "Viral Pneumonia"):
        images = sorted((REAL_IMAGES / name / "images").iterdir())
        (tmp_path / name).mkdir()
        for path in images[:60]:
            (tmp_path / name / path.name).symlink_to(path)
        plant_copies(tmp_path / name, images[:12])
    manifest = dataset(tmp_path).manifest
    assert (manifest.groupby("group")["split"].nunique() == 1).all()
    original = manifest["path"].str.split("/").str[1].str.replace(r"( \w+)?\.\w+$", "", regex=True)
    assert (original.groupby(manifest["group"]).nunique() == 1).all()
    groups = manifest.groupby(original)["group"].nunique()
    assert not groups[groups > 1].to_dict()


def test_manifest_trains_on_exactly_its_images(phantoms: Path, tmp_path: Path) -> None:
    shutil.copytree(phantoms, tmp_path / "here")
    first = dataset(tmp_path / "here")
    write_manifest(first.manifest, tmp_path / "m.csv")
    shutil.copytree(tmp_path / "here", tmp_path / "there")
    (tmp_path / "there/COVID/images/new.png").symlink_to(next((tmp_path / "here/COVID/images").iterdir()))
    column = SplitConfig(name="column", method="column")
    again = dataset(tmp_path / "there", column, manifest=str(tmp_path / "m.csv"))
    pd.testing.assert_frame_equal(again.manifest, first.manifest)
    np.testing.assert_array_equal(again.images[:], first.images[:])
    other = dataset(tmp_path / "there", SplitConfig(seed=1), manifest=str(tmp_path / "m.csv"))
    assert (other.manifest["split"] != first.manifest["split"]).any()
    changed = sorted((tmp_path / "there/Normal/images").iterdir())[:5]
    for file in changed:
        Image.new("L", (40, 40), int(file.stem.encode().hex(), 16) % 200).save(file)
    with pytest.raises(
        UserError, match=rf"5 images changed since .*m.csv was written: Normal/images/{changed[0].name}, .* and 2 more"
    ):
        dataset(tmp_path / "there", column, manifest=str(tmp_path / "m.csv"))


def test_own_split_that_tears_a_group_stops_the_run(tmp_path: Path) -> None:
    for index in range(6):
        Image.fromarray(noise(index // 2)).save(tmp_path / f"{index}.png")
    rows = {"path": [f"{index}.png" for index in range(6)], "label": list("aaabbb"), "split": ["train", "val"] * 3}
    pd.DataFrame(rows).to_csv(tmp_path / "t.csv", index=False)
    column = SplitConfig(name="column", method="column")
    with pytest.raises(UserError, match=r"3 groups of images that belong together .* two sides .* \d\.png and \d\.png"):
        dataset(tmp_path, column, manifest=str(tmp_path / "t.csv"), on_conflict="keep")


def test_images_of_a_patient_are_a_group_and_a_placeholder_is_no_patient() -> None:
    facts = tuple(
        ImageFacts(f"{row:064x}", perceptual_hashes_of(noise(row)), 40, 40, "12-bit MONOCHROME2", "p" if row < 2 else "")
        for row in range(60)
    )
    rows = pd.DataFrame(
        {"path": [f"{row:02}.dcm" for row in range(60)], "label": ["a", "b"] * 30, "group": ["", "g", "g "] + [""] * 57}
    )
    image_list = image_list_of(Path(), ("a", "b"), rows)
    pixels = ImagePixels(image_list.paths, Rows.of(np.zeros((60, 0), np.uint8)), facts, ())
    assert annotate(image_list, pixels).images["group"].value_counts().iloc[0] == 3
    assert annotate(image_list, pixels, dicom_patients=False).images["group"].value_counts().iloc[0] == 2
    same = tuple(replace(fact, patient="stand-in") for fact in facts)
    with pytest.raises(UserError, match=r"60 of 60 DICOM files have the same PatientID.*data.dicom_patients=false"):
        annotate(image_list, replace(pixels, facts=same))


def test_changes_between_two_manifests_are_counted(tmp_path: Path) -> None:
    rows = pd.DataFrame({name: ["x"] * 4 for name in COLUMNS}).assign(path=list("abcd"), width=1, height=1)
    write_manifest(rows, tmp_path / "m.csv")
    before = read_manifest(tmp_path / "m.csv")
    assert changes(before, rows) == ""
    now = pd.concat([rows.iloc[1:], rows.iloc[:1].assign(path="e")], ignore_index=True)
    now.loc[0, "label"], now.loc[1, "sha256"] = "y", "y"
    assert changes(before, now) == "1 new, 1 gone, 1 with other pixels, 1 with another label"
    (tmp_path / "other.csv").write_text("path,label\na,b\n")
    with pytest.raises(ValueError, match="has no group, height, sha256"):
        read_manifest(tmp_path / "other.csv")
