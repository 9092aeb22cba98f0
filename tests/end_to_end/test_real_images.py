"""The real backbone on a few real images, with the original protocol and one unreadable file."""

from pathlib import Path

import pytest

from tests.conftest import REAL_WEIGHTS, Command
from tests.logged_runs import artifacts_of, dataset_profile, runs_in

pytestmark = pytest.mark.slow


def test_handful_of_real_images(real_images: Path, tmp_path: Path, cxr_here: Command) -> None:
    for folder in sorted(real_images.iterdir()):
        (tmp_path / "few" / folder.name / "images").mkdir(parents=True)
        for image in sorted((folder / "images").iterdir())[:10]:
            (tmp_path / "few" / folder.name / "images" / image.name).symlink_to(image)
    (tmp_path / "few/Normal/images/torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    real = ("data=radiography", "data.root=few", f"backbone.weights={REAL_WEIGHTS}", "data.on_bad_image=skip")
    done = cxr_here("experiment=original_protocol", *real, "training.epochs=1", "audit=off", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    (run,) = runs_in(tmp_path)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "original_protocol"
    assert run.data.tags["cxr.judged_on"] == "val"
    assert not [name for name in run.data.metrics if name.startswith("test/")]
    assert {"val/accuracy", "val/auc_macro_ovr", "val/covid/sensitivity"} <= set(run.data.metrics)
    profile = dataset_profile(run)
    assert (profile["images"], profile["bad_images"]) == (30, 1)
    artifacts = artifacts_of(run)
    assert "torn.png" in (artifacts / "data/bad_images.csv").read_text()
    assert "1 unreadable image left out" in (artifacts / "report.html").read_text()
