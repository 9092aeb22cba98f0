"""Reading a data set: consistent rows, bad images counted or rejected, fingerprints."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cxr.config.schema import Config
from cxr.data.dataset import Dataset, read_dataset
from cxr.data.manifest import COLUMNS, data_fingerprint, split_fingerprint, summary, write_manifest
from cxr.data.sources.locate import locate_images
from cxr.errors import UserError
from cxr.progress import Progress
from tests.conftest import Compose


@pytest.fixture
def root(phantoms: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(phantoms, tmp_path / "images"))


def config_for(root: Path, compose_config: Compose, *overrides: str) -> Config:
    return compose_config("data=radiography", "backbone=phantom", f"data.root={root}", *overrides)


def read(config: Config, quiet: Progress) -> Dataset:
    return read_dataset(config, locate_images(config.data, quiet.stage), quiet.stage)


def test_rows_agree(root: Path, compose_config: Compose, quiet: Progress) -> None:
    dataset = read(config_for(root, compose_config), quiet)
    assert tuple(dataset.manifest.columns) == COLUMNS
    assert len(dataset.images) == len(dataset.manifest) == 40
    for row in (0, 17, 39):
        path = dataset.manifest["path"][row]
        assert path.startswith(dataset.manifest["label"][row])
        np.testing.assert_array_equal(dataset.images[row][..., 0], np.asarray(Image.open(root / path)))
    parts = [dataset.rows(part) for part in ("train", "val", "test")]
    assert sorted(np.concatenate(parts)) == list(range(40))
    assert dataset.one_hot.argmax(axis=1).tolist() == dataset.labels.tolist()
    assert sum(dataset.train_counts()) == len(parts[0])
    assert summary(dataset.manifest).to_numpy().sum() == 40


def test_a_bad_image_stops_or_is_skipped(root: Path, compose_config: Compose, quiet: Progress) -> None:
    (root / "Normal/images/Normal-2.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"can't read .*Normal/images/Normal-2\.png"):
        read(config_for(root, compose_config), quiet)
    dataset = read(config_for(root, compose_config, "data.on_bad_image=skip"), quiet)
    assert len(dataset.images) == len(dataset.manifest) == 39
    assert [bad.path for bad in dataset.bad] == ["Normal/images/Normal-2.png"]
    assert "Normal/images/Normal-2.png" not in set(dataset.manifest["path"])


def test_exact_copies_stay_on_one_side(root: Path, compose_config: Compose, quiet: Progress) -> None:
    for number in range(1, 9):
        shutil.copy(root / f"COVID/images/COVID-{number}.png", root / f"COVID/images/copy-{number}.png")
    manifest = read(config_for(root, compose_config), quiet).manifest
    assert (manifest.groupby("group")["split"].nunique() == 1).all()


def test_fingerprints_change_with_what_they_are_of(root: Path, compose_config: Compose, quiet: Progress) -> None:
    first = read(config_for(root, compose_config), quiet).manifest
    other_split = read(config_for(root, compose_config, "split.seed=1"), quiet).manifest
    assert data_fingerprint(first) == data_fingerprint(other_split) == data_fingerprint(first.iloc[::-1])
    assert split_fingerprint(first) != split_fingerprint(other_split)
    Image.new("L", (96, 96)).save(root / "Normal/images/Normal-2.png")
    assert data_fingerprint(read(config_for(root, compose_config), quiet).manifest) != data_fingerprint(first)


def test_the_manifest_is_sorted_and_survives_its_file(root: Path, tmp_path: Path, compose_config: Compose, quiet: Progress) -> None:
    manifest = read(config_for(root, compose_config), quiet).manifest
    write_manifest(manifest, tmp_path / "a.csv")
    write_manifest(manifest.sample(frac=1, random_state=0), tmp_path / "b.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
    again = pd.read_csv(tmp_path / "a.csv", keep_default_na=False)
    assert split_fingerprint(again) == split_fingerprint(manifest)
