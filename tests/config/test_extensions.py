"""Parts of an installed package: found by entry point, used by name, and refused where they can't be imported."""

from pathlib import Path

import pandas as pd
import pytest

from cxr.config import extensions
from cxr.config.fields import flat_params
from cxr.config.schema import Config
from cxr.stages.basis import Inputs, of_rows
from cxr.stages.table import Stage
from tests.conftest import Command

PACKAGE = """
import numpy as np
from cxr.data.augment import PixelTransform, augmentation
from cxr.evaluation.metric_table import Metric

def make_loss(config, weights, costs):
    import keras
    return lambda targets, logits: keras.losses.categorical_crossentropy(targets, logits, from_logits=True) * 2

@augmentation("darker", version=1)
def darker(share, draws, size):
    return PixelTransform(offset=-255 * share * np.abs(draws[:, 0]))

error_rate = Metric("error_rate", "error rate", lambda counts: 1 - counts.hits.sum(axis=1) / counts.total, frozenset({"summary"}))
"""
ENTRY_POINTS = """
[cxr.losses]
doubled = films_extra:make_loss
broken = films_missing:make_loss

[cxr.augmentations]
darker = films_extra:darker

[cxr.metrics]
error_rate = films_extra:error_rate
"""
SMALL = "data.phantom.count=60 training=quick freeze.warmup_epochs=0 training.epochs=1 evaluation=numbers audit=off loss.name=own"


def install(folder: Path) -> Path:
    """A package as pip would leave it."""
    (folder / "site/films_extra-1.2.dist-info").mkdir(parents=True)
    (folder / "site/films_extra.py").write_text(PACKAGE)
    (folder / "site/films_extra-1.2.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: films-extra\nVersion: 1.2\n")
    (folder / "site/films_extra-1.2.dist-info/entry_points.txt").write_text(ENTRY_POINTS)
    return folder / "site"


def test_loss_augmentation_and_metric_of_a_package_are_used(
    tmp_path: Path, small_backbone: tuple[str, ...], run_cxr: Command
) -> None:
    site = str(install(tmp_path))
    done = run_cxr(
        *SMALL.split(), *small_backbone, "loss.formula=doubled", "+augment.more.darker=0.2", folder=tmp_path, PYTHONPATH=site
    )
    assert done.returncode == 0, done.stderr
    assert "error rate 0." in done.stdout


def test_missing_or_broken_extension_is_one_line(tmp_path: Path, run_cxr: Command, cxr_here: Command) -> None:
    without = cxr_here(*SMALL.split(), "loss.formula=doubled", folder=tmp_path)
    assert without.returncode == 2
    assert "loss.formula=doubled is not known" in without.stderr
    broken = run_cxr(*SMALL.split(), "loss.formula=broken", folder=tmp_path, PYTHONPATH=str(install(tmp_path)))
    assert broken.returncode != 0
    assert "broken, which the entry point cxr.losses of an installed package adds, can't be imported" in broken.stderr
    assert "Traceback" not in broken.stderr


def test_fingerprint_depends_on_a_package_that_the_config_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same version: changed code, and another augmentation, which any augmented view might have met."""
    site = install(tmp_path)
    monkeypatch.syspath_prepend(str(site))

    def forget() -> None:
        extensions.installed.cache_clear()
        extensions.content_of.cache_clear()

    def fingerprints(**params: str) -> dict[Stage, str]:
        forget()
        config = {**flat_params(Config()), **params}
        return {stage: basis.fingerprint for stage, basis in Inputs(config, pd.DataFrame({"path": []}), {}).bases.items()}

    uses = [{"loss.formula": "doubled"}, {"augment.zoom": "0.1"}, {"augment.more": '{"darker": 0.2}'}, {}]
    before = [fingerprints(**params) for params in uses]
    (site / "films_extra.py").write_text(PACKAGE.replace("255", "250"))
    after = [fingerprints(**params) for params in uses]
    assert [one[Stage.TRAIN] != other[Stage.TRAIN] for one, other in zip(before, after, strict=True)] == [True, True, True, False]
    assert before[3][Stage.ASSESS] != after[3][Stage.ASSESS]  # the package adds a metric too
    keys = [of_rows({**flat_params(Config()), **params}, Stage.VIEWS) for params in uses]
    (site / "films_extra-1.2.dist-info/entry_points.txt").write_text(
        ENTRY_POINTS.replace("darker = ", "dimmer = films_extra:darker\ndarker = ")
    )
    forget()
    keys_now = [of_rows({**flat_params(Config()), **params}, Stage.VIEWS) for params in uses]
    assert [one != other for one, other in zip(keys, keys_now, strict=True)] == [False, True, True, False]
    forget()
