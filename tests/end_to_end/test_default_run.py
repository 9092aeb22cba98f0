"""`cxr` on phantoms: a complete run, whose numbers follow from its files."""

import io
import json
import math
from pathlib import Path

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from PIL import Image
from sklearn.metrics import accuracy_score, confusion_matrix, log_loss, roc_auc_score
from statsmodels.stats.proportion import proportion_confint

from cxr.data.manifest import data_fingerprint, split_fingerprint
from cxr.evaluation.light import TAG, Light
from cxr.evaluation.metric_table import BY_CLASS, OVERALL
from cxr.evaluation.predictions import Predictions
from cxr.stages.record import written_by
from cxr.stages.table import ROWS
from tests.conftest import Command
from tests.logged_runs import artifacts_of, dataset_profile, runs_in

COUNT = 150
CLASSES = ("COVID", "Normal", "Viral Pneumonia")
SLUGS = ("covid", "normal", "viral_pneumonia")
FIGURES = (
    *("confusion_matrix", "sensitivity_specificity", "roc_curves", "pr_curves", "operating_points", "triage_workload"),
    *("predictive_values", "decision_curve", "reliability", "grad_cam", "heat_by_class", "failures", "training_curves"),
)
OF_IMAGES = ("grad_cam", "heat_by_class", "failures")
ARTIFACTS = {
    "audit/audit.json",
    "config/config.yaml",
    "config/overrides.yaml",
    "config/choices.yaml",
    "data/manifest.csv",
    "environment/lock.txt",
    "environment/machine.json",
    "environment/packages.txt",
    "evaluation/by_class.json",
    "evaluation/classification_report.txt",
    *(f"evaluation/{name}.png" for name in FIGURES),
    *(f"evaluation/{name}.svg" for name in FIGURES if name not in OF_IMAGES),
    "features/validation.csv",
    "features/validation_pooled.npy",
    "evaluation/metrics.json",
    "evaluation/training_curves.csv",
    "checklists.md",
    "log.txt",
    "model/decisions.json",
    "model/model.keras",
    "model/orientation.npz",
    "model_card.md",
    "predictions/test.csv",
    "predictions/val.csv",
    "report.html",
    "report.json",
    "report.schema.json",
    *(f"stages/{row.stage}.json" for row in ROWS if row.writes),
    "training/facts.json",
    "training/training.json",
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, run_cxr: Command) -> tuple[Run, Path, str]:
    """The run, its folder of artifacts, and what the command printed."""
    folder = tmp_path_factory.mktemp("newcomer")
    done = run_cxr(f"data.phantom.count={COUNT}", "training.epochs=4", "training.deterministic=true", folder=folder)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    assert "tensorflow/" not in done.stderr
    assert {path.name for path in folder.iterdir()} == {"mlruns"}
    (run,) = runs_in(folder)
    artifacts = artifacts_of(run)
    assert artifacts.is_relative_to(folder / "mlruns/artifacts")
    return run, artifacts, done.stdout


def test_run_is_finished_and_complete(finished: tuple[Run, Path, str]) -> None:
    run, artifacts, _ = finished
    assert run.info.status == "FINISHED"
    there = {path.relative_to(artifacts).as_posix() for path in artifacts.rglob("*") if path.is_file()}
    there = {name for name in there if "audit_flips" not in name}  # drawn where a small change makes another class
    single = {name for name in there if name.startswith("evaluation/films/")}
    assert {name.partition("-")[0] for name in single} == {f"evaluation/films/{name}" for name in OF_IMAGES}
    assert there - single - {"environment/uncommitted.diff"} == ARTIFACTS  # a developer's checkout may hold changes
    for name in there - {"log.txt"} - {name for name in there if name.startswith("stages/")}:
        owners = [row.stage for row in ROWS if written_by(row.stage, {name: (0, "")})]
        assert len(owners) == 1, f"{name} is written by {owners} in cxr/stages/table.py"
    for part in ("val", "test"):
        expected = {f"{part}/{metric.name}" for metric in OVERALL}
        expected |= {f"{part}/{slug}/{metric.name}" for slug in SLUGS for metric in BY_CLASS}
        undefined = json.loads((artifacts / "evaluation/metrics.json").read_text())[part][
            "undefined"
        ]  # PPV of a class never predicted
        assert expected - {f"{part}/{name}" for name in undefined} <= set(run.data.metrics)
    assert {"train/loss", "val/loss", "train/accuracy", "val/accuracy", "train/learning_rate"} <= set(run.data.metrics)
    assert run.data.params["freeze.trainable_from"] == "head"
    assert run.data.params["loss.name"] == "plain"
    tags = run.data.tags
    assert (tags["cxr.role"], tags["cxr.judged_on"]) == ("candidate", "test")
    assert {"cxr.data_fingerprint", "cxr.split_fingerprint", "cxr.config_fingerprint", "cxr.weights_sha256"} <= set(tags)
    assert "cxr.sweep_id" not in tags


def test_printed_table_is_the_logged_one(finished: tuple[Run, Path, str]) -> None:
    run, _, printed = finished
    metrics = run.data.metrics
    accuracy = (
        f"{metrics['test/accuracy']:.3f} ({metrics['interval/test/accuracy_lo']:.3f}-{metrics['interval/test/accuracy_hi']:.3f})"
    )
    assert f"accuracy {accuracy}" in printed
    assert f"{run.data.metrics['test/covid/sensitivity']:.3f}" in printed
    assert run.info.run_id in printed
    assert "cxr ui" in printed


def test_headline_follows_from_the_predictions_alone(finished: tuple[Run, Path, str]) -> None:
    """With other libraries than those that made it: of `predictions/*.csv`, nothing else is read."""
    run, artifacts, _ = finished
    document = json.loads((artifacts / "evaluation/metrics.json").read_text())
    for part in ("val", "test"):
        labels, p = _read(artifacts / f"predictions/{part}.csv")
        assert run.data.metrics[f"{part}/accuracy"] == pytest.approx(accuracy_score(labels, p.argmax(axis=1)))
        assert run.data.metrics[f"{part}/auc_macro_ovr"] == pytest.approx(roc_auc_score(labels, p, multi_class="ovr"))
        assert document[part]["confusion_matrix"] == confusion_matrix(labels, p.argmax(axis=1)).tolist()
        assert document[part]["metrics"]["accuracy"] == run.data.metrics[f"{part}/accuracy"]


def test_report_page_and_metrics_follow_from_the_predictions(finished: tuple[Run, Path, str]) -> None:
    run, artifacts, _ = finished
    (val_labels, val), (labels, p) = (_read(artifacts / f"predictions/{part}.csv") for part in ("val", "test"))
    assessment = json.loads((artifacts / "report.json").read_text())["assessment"]
    page = (artifacts / "report.html").read_text()
    right = int((p.argmax(axis=1) == labels).sum())
    low, high = proportion_confint(right, len(labels), method="wilson")
    assert assessment["estimates"]["accuracy"]["low"] == pytest.approx(low) == run.data.metrics["interval/test/accuracy_lo"]
    assert f"{low:.3f} to {high:.3f}; {right}/{len(labels)}" in page
    covid = labels == 0
    called = p.argmax(axis=1) == 0
    assert f"<b>{(called & covid).sum() / covid.sum():.3f} <small>" in page
    point = next(point for point in assessment["operating_points"] if point["rule"]["name"] == "sensitivity_target")
    reached = np.sort(val[val_labels == 0, 0])[::-1][math.ceil(0.95 * (val_labels == 0).sum()) - 1]
    assert point["rule"]["threshold"] == reached == run.data.metrics["test/points/sensitivity_target/threshold"]
    assert point["evaluated"]["sensitivity"]["value"] == pytest.approx((p[covid, 0] >= reached).mean())
    assert point["evaluated"]["specificity"]["value"] == pytest.approx((p[~covid, 0] < reached).mean())
    assert assessment["calibration"]["nll"] == pytest.approx(log_loss(labels, p))
    decisions = json.loads((artifacts / "model/decisions.json").read_text())
    assert decisions["temperature"] == assessment["temperature"]["value"] == run.data.metrics["test/calibration/temperature"]
    assert (
        assessment["triage"]["zones"][0]["of_positives"]["count"] + assessment["triage"]["zones"][1]["of_positives"]["count"]
        <= covid.sum()
    )


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    frame = pd.read_csv(path)
    return frame["label"].map(CLASSES.index).to_numpy(), frame[[f"p_{slug}" for slug in SLUGS]].to_numpy()


def test_manifest_predictions_and_tags_agree(finished: tuple[Run, Path, str]) -> None:
    run, artifacts, _ = finished
    manifest = pd.read_csv(artifacts / "data/manifest.csv", keep_default_na=False)
    assert len(manifest) == COUNT == dataset_profile(run)["images"]
    for part in ("val", "test"):
        predictions = Predictions.from_csv(artifacts / f"predictions/{part}.csv", CLASSES)
        assert list(predictions.ids) == sorted(manifest.loc[manifest["split"] == part, "path"])
    assert run.data.tags["cxr.data_fingerprint"] == data_fingerprint(manifest)
    assert run.data.tags["cxr.split_fingerprint"] == split_fingerprint(manifest)


def test_frozen_head_is_better_than_chance(finished: tuple[Run, Path, str]) -> None:
    assert finished[0].data.metrics["interval/test/auc_macro_ovr_lo"] > 0.5


def test_epochs_arrive_as_a_series_and_the_final_is_the_last_value(finished: tuple[Run, Path, str]) -> None:
    run, artifacts, _ = finished
    curves = pd.read_csv(artifacts / "evaluation/training_curves.csv")
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "val/loss")
    assert [point.step for point in history] == list(curves["epoch"])
    assert [point.value for point in history] == pytest.approx(list(curves["val/loss"]))
    kept = curves.loc[curves["kept"], "val/accuracy"].item()
    assert run.data.metrics["val/accuracy"] == pytest.approx(kept, abs=1e-6)


def test_saved_models_give_the_logged_probabilities_for_raw_images(finished: tuple[Run, Path, str], cache_home: Path) -> None:
    run, artifacts, _ = finished
    logged = Predictions.from_csv(artifacts / "predictions/test.csv", CLASSES)
    (root,) = (path for path in (cache_home / "kept/phantoms").iterdir() if path.is_dir() and f"-{COUNT}-" in path.name)
    grey = np.stack([np.asarray(Image.open(root / path)) for path in logged.ids])
    images = np.repeat(grey[..., None], 3, axis=-1).astype(np.float32)
    plain = keras.saving.load_model(artifacts / "model/model.keras")
    np.testing.assert_allclose(plain.predict(images, verbose=0), logged.probabilities, atol=1e-4)
    served = mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model")
    assert served.metadata.signature is not None
    np.testing.assert_allclose(served.predict(images[:8]), logged.probabilities[:8], atol=1e-4)


def test_figures_are_pictures_of_a_readable_size(finished: tuple[Run, Path, str]) -> None:
    for path in (finished[1] / "evaluation").glob("*.png"):
        picture = Image.open(io.BytesIO(path.read_bytes()))
        assert 600 <= picture.width <= 1200
        assert picture.height >= 350


@pytest.mark.slow
def test_first_sweep_shows_what_fine_tuning_is_worth_and_thresholds_that_hold(tmp_path: Path, cxr_here: Command) -> None:
    done = cxr_here("-m", "freeze=head,last_stage", "training.deterministic=true", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    head, deeper = sorted(runs_in(tmp_path), key=lambda run: run.data.params["freeze.trainable_from"] != "head")
    assert 0.85 <= head.data.metrics["test/accuracy"] <= 0.92
    assert deeper.data.metrics["test/accuracy"] - head.data.metrics["test/accuracy"] >= 0.04
    for run in (head, deeper):
        assert run.data.tags[TAG] == Light.NONE
        assessment = json.loads((artifacts_of(run) / "report.json").read_text())["assessment"]
        points = {point["rule"]["name"]: point["evaluated"] for point in assessment["operating_points"]}
        assert points["sensitivity_target"]["sensitivity"]["value"] >= 0.88
        assert points["sensitivity_target"]["specificity"]["value"] >= 0.6
        assert points["specificity_target"]["specificity"]["value"] >= 0.95
        assert points["specificity_target"]["sensitivity"]["value"] >= 0.3
        assert assessment["triage"]["zones"][2]["of_others"]["value"] >= 0.3
