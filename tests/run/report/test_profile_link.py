"""The page that `cxr data profile` writes is logged by later runs on the same images, and linked from their reports."""

from pathlib import Path

import pytest

from cxr.commands.data import main
from cxr.tracking.search import filtered_runs
from cxr.tracking.store import Store
from tests.run.conftest import do_run, prepared_run

IMAGES = ("data.phantom.count=40",)
QUICK = ("training.epochs=1", "evaluation.resamples=100", "evaluation.pictures=false", "evaluation.figure_dpi=50", "audit=off")


def test_report_links_to_the_profile_of_its_images(
    fresh_store: Store, small_backbone: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXR_CACHE", str(tmp_path / "cache"))  # another test may have profiled these images
    assert prepared_run(*IMAGES, *QUICK, *small_backbone).profile is None
    assert main(["profile", *IMAGES, "--to", "page.html"]) == 0
    do_run(*IMAGES, *QUICK, *small_backbone, "training.seed=1")
    (run,) = filtered_runs("")
    assert run.file("data/profile.html").read_bytes() == Path("page.html").read_bytes()
    assert '<a href="data/profile.html">' in run.file("report.html").read_text()
    assert prepared_run("data.phantom.count=41", *QUICK, *small_backbone).profile is None, "other images"
