"""New images: four classes in several formats, cross-validated, and trained again in another place."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from tests.conftest import Command
from tests.logged_runs import artifacts_of, runs_in

pytestmark = pytest.mark.slow

QUICK = ("augment=none", "training.epochs=2", "evaluation=numbers", "audit=off")
CLASSES = {"effusion": ".tif", "No Finding": ".png", "nodule": ".jpg", "old TB": ".bmp"}


def test_four_new_classes_are_cross_validated_and_a_logged_manifest_trains_the_same_elsewhere(
    phantoms: Path, small_backbone: tuple[str, ...], tmp_path: Path, cxr_here: Command
) -> None:
    for index, phantom in enumerate(sorted(phantoms.rglob("*.png"))):
        name, suffix = list(CLASSES.items())[index % 4]
        (tmp_path / "here" / name / "ward 1").mkdir(parents=True, exist_ok=True)
        with Image.open(phantom) as image:
            image.save(tmp_path / "here" / name / "ward 1" / f"{phantom.stem}{suffix}")
    folds = ("split=kfold", "split.folds=2", "split.fold=0,1")
    swept = cxr_here("-m", "data=folder", "data.root=here", *folds, *QUICK, *small_backbone, folder=tmp_path)
    assert swept.returncode == 0, swept.stderr
    gathered = cxr_here("folds", "--predictions", "pooled.csv", "--csv", "numbers.csv", folder=tmp_path)
    assert gathered.returncode == 0, gathered.stderr
    assert "kfold: 2 runs, 40 images" in gathered.stdout
    pooled, numbers = pd.read_csv(tmp_path / "pooled.csv"), pd.read_csv(tmp_path / "numbers.csv", index_col="metric")
    assert pooled["id"].nunique() == len(pooled) == 40
    assert numbers.loc["accuracy", "pooled"] == (pooled["label"] == pooled["predicted"]).mean()

    shutil.move(tmp_path / "here", tmp_path / "there")
    first = runs_in(tmp_path)[0]
    assert {"test/no_finding/sensitivity", "test/old_tb/auc", "test/auc_macro_ovr"} <= set(first.data.metrics)
    logged = artifacts_of(first) / "data/manifest.csv"
    again = cxr_here("data=manifest", f"data.manifest={logged}", "data.root=there", *QUICK, *small_backbone, folder=tmp_path)
    assert again.returncode == 0, again.stderr
    later = runs_in(tmp_path)[0]
    assert (artifacts_of(later) / "data/manifest.csv").read_bytes() == logged.read_bytes()
    for tag in ("cxr.data_fingerprint", "cxr.split_fingerprint"):
        assert later.data.tags[tag] == first.data.tags[tag]
