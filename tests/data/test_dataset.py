"""Reading a data set: consistent rows, fingerprints."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cxr.data.dataset import Dataset, read_dataset
from cxr.data.manifest import COLUMNS, data_fingerprint, read_manifest, split_fingerprint, summary, write_manifest
from cxr.data.sources.locate import locate_images
from cxr.progress import Progress
from tests.conftest import Compose

Read = Callable[..., Dataset]


@pytest.fixture
def root(phantoms: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(phantoms, tmp_path / "images"))


@pytest.fixture
def read(root: Path, compose_config: Compose, quiet: Progress) -> Read:
    def read_with(*overrides: str) -> Dataset:
        config = compose_config("data=radiography", "backbone=phantom", f"data.root={root}", *overrides)
        return read_dataset(config, locate_images(config.data, quiet.stage), quiet.stage)

    return read_with


def test_rows_of_images_and_manifest_agree(read: Read, root: Path) -> None:
    dataset = read()
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


def test_fingerprints_depend_on_images_and_parts(read: Read, root: Path, tmp_path: Path) -> None:
    first, other_split = read().manifest, read("split.seed=1").manifest
    assert data_fingerprint(first) == data_fingerprint(other_split) == data_fingerprint(first.iloc[::-1])
    assert split_fingerprint(first) != split_fingerprint(other_split)
    write_manifest(first, tmp_path / "m.csv")
    assert split_fingerprint(read_manifest(tmp_path / "m.csv")) == split_fingerprint(first)
    Image.new("L", (96, 96)).save(root / "Normal/images/Normal-2.png")
    assert data_fingerprint(read().manifest) != data_fingerprint(first)
