"""`cxr evaluate`: a run on a table with further columns, evaluated with other targets and on other data."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.entities import Run
from PIL import Image
from sklearn.metrics import accuracy_score, roc_auc_score

from cxr.text import pluralize
from tests.conftest import Command
from tests.logged_runs import artifacts_of, runs_in

CLASSES = ("COVID", "Normal", "Viral Pneumonia")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, small_backbone: tuple[str, ...], cxr_here: Command, phantoms: Path) -> Path:
    """A folder with one finished run, `then`, on a table that says sex and age."""
    folder = tmp_path_factory.mktemp("evaluated")
    paths = sorted(path.relative_to(phantoms).as_posix() for path in phantoms.rglob("images/*.png"))
    table = pd.DataFrame({"path": paths, "label": [path.split("/")[0] for path in paths]})
    table["sex"], table["age"] = ["fm"[row % 2] for row in range(len(paths))], [str(20 + row) for row in range(len(paths))]
    table.to_csv(folder / "films.csv", index=False)
    done = cxr_here(
        *("data=manifest", "data.manifest=films.csv", f"data.root={phantoms}", "data.columns.more=[sex,age]", "training.epochs=2"),
        *(
            *small_backbone,
            "split=three_way",
            "tracking.run_name=then",
            "evaluation.resamples=100",
            "evaluation.saliency_images=2",
            "audit=off",
        ),
        folder=folder,
    )
    assert done.returncode == 0, done.stderr
    return folder


def latest(place: Path) -> tuple[Run, Path]:
    run = runs_in(place)[0]
    return run, artifacts_of(run)


def test_subgroups_are_by_the_columns_that_the_table_kept(place: Path) -> None:
    manifest = pd.read_csv(latest(place)[1] / "data/manifest.csv", dtype=str)
    assert set(manifest["sex"]) == {"f", "m"}
    assessment = json.loads((latest(place)[1] / "report.json").read_text())["assessment"]
    assert {subgroup["column"] for subgroup in assessment["subgroups"]} >= {"sex"}
    assert all(subgroup["small"] for subgroup in assessment["subgroups"])
    assert "sex: f (small)" in (latest(place)[1] / "report.html").read_text()


def test_other_targets_need_no_images_and_keep_the_pictures(place: Path, cxr_here: Command) -> None:
    before = latest(place)[1]
    away = place / "films-away.csv"
    (place / "films.csv").rename(away)
    done = cxr_here("evaluate", "then", "evaluation.sensitivity=0.5", "evaluation.missed_cost=40", folder=place)
    away.rename(place / "films.csv")
    assert done.returncode == 0, done.stderr
    run, artifacts = latest(place)
    assert run.data.tags["cxr.role"] == "evaluation"
    assert run.data.metrics["test/points/sensitivity_target/threshold"] > 0
    report = json.loads((artifacts / "report.json").read_text())
    assert report["assessment"]["operating_points"][1]["rule"]["target"] == 0.5
    assert report["assessment"]["costs"][0] == [0, 40, 40]
    assert report["context"]["evaluated"].endswith("from its logged predictions")
    assert (artifacts / "evaluation/grad_cam.png").read_bytes() == (before / "evaluation/grad_cam.png").read_bytes()
    assert str(artifacts / "report.html") in done.stdout
    shareable = cxr_here("evaluate", "then", "evaluation=numbers", folder=place)
    assert shareable.returncode == 0, shareable.stderr
    names = {path.stem for path in (latest(place)[1] / "evaluation").glob("*.png")}
    assert "training_curves" in names
    assert not {"grad_cam", "heat_by_class", "failures"} & names  # no image in a report without pictures
    again = cxr_here("evaluate", run.info.run_id, folder=place)
    assert (again.returncode, "is an evaluation itself" in again.stderr) == (2, True)


def test_other_data_is_scored_without_images_of_the_run(place: Path, cxr_here: Command, phantoms: Path) -> None:
    (then,) = runs_in(place, "run_name = 'then'")
    manifest = pd.read_csv(f"{str(then.info.artifact_uri).removeprefix('file://')}/data/manifest.csv", dtype=str)
    other = place / "other"
    for row in manifest.itertuples():
        target = other / str(row.label).lower() / Path(str(row.path)).name
        target.parent.mkdir(parents=True, exist_ok=True)
        if row.split == "test":  # pixels that no one has seen
            pixels = np.asarray(Image.open(phantoms / str(row.path)))[:, ::-1]
            Image.fromarray(pixels).save(target)
        elif row.split == "val":
            shutil.copy(phantoms / str(row.path), target)
    done = cxr_here("evaluate", "then", "data=folder", "data.root=other", "evaluation.subgroups=[source]", folder=place)
    assert done.returncode == 0, done.stderr
    run, artifacts = latest(place)
    seen = (manifest["split"] == "val").sum()
    assert f"{pluralize(seen, 'image')} with the same pixels" in done.stdout
    assert len(pd.read_csv(artifacts / "data/overlap.csv")) >= seen
    predictions = pd.read_csv(artifacts / "predictions/external.csv")
    assert len(predictions) == (manifest["split"] == "test").sum()
    assert run.data.metrics["external/accuracy"] == pytest.approx(accuracy_score(predictions["label"], predictions["predicted"]))
    source = json.loads((artifacts_of(then) / "report.json").read_text())
    report = json.loads((artifacts / "report.json").read_text())
    rules = [[point["rule"] for point in one["assessment"]["operating_points"]] for one in (report, source)]
    assert rules[0] == rules[1]  # chosen on the run's validation images, not on these
    assert report["context"]["overlap"]["same_pixels"] == seen
    assert report["context"]["data"] == source["context"]["data"]  # what the model learned from
    assert report["context"]["other_data"]["flow"].keys() == source["context"]["data"]["flow"].keys()
    assert (artifacts / "evaluation/grad_cam.png").is_file()


def test_other_data_may_lack_classes_and_have_others(place: Path, cxr_here: Command, phantoms: Path) -> None:
    for name, label in (("normal", "Normal"), ("ankle", "COVID")):
        (place / "fewer" / name).mkdir(parents=True)
        for path in sorted((phantoms / label / "images").iterdir())[:6]:
            Image.fromarray(np.asarray(Image.open(path))[::-1]).save(place / "fewer" / name / path.name)
    done = cxr_here("evaluate", "then", "data=folder", "data.root=fewer", folder=place)
    assert done.returncode == 0, done.stderr
    assert "Classes without an image in this data: COVID, Viral Pneumonia." in done.stdout
    assert "Classes that the model does not know: ankle (6 images)." in done.stdout
    assert "Target not met" not in done.stdout
    run, artifacts = latest(place)
    known, others = (pd.read_csv(artifacts / f"predictions/{name}.csv") for name in ("external", "external_unknown_classes"))
    assert (set(known["label"]), set(others["label"])) == ({"Normal"}, {"ankle"})
    expected = roc_auc_score([0] * 6 + [1] * 6, [*-known["p_normal"], *-others["p_normal"]])
    assert run.data.metrics["external/auc_not_normal"] == pytest.approx(expected)
    assert not [name for name in run.data.metrics if name.startswith(("external/covid", "external/viral"))]
    shutil.rmtree(place / "fewer" / "ankle")
    alone = cxr_here("evaluate", "then", "data=folder", "data.root=fewer", "evaluation=numbers", folder=place)
    assert alone.returncode == 0, alone.stderr
    assert "AUC of normal against the rest: not known: every image is Normal" in alone.stdout


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("training.epochs=3",), "can't be changed in an evaluation"),
        (("data=folder", "data.root=ankles"), "the model knows no class of this data (ankle, wrist)"),
    ],
)
def test_mistakes_end_in_one_line_and_leave_no_run(
    overrides: tuple[str, ...], message: str, place: Path, cxr_here: Command, phantoms: Path
) -> None:
    for name in ("ankle", "wrist"):
        (place / "ankles" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(next((phantoms / "Normal/images").iterdir()), place / "ankles" / name / "1.png")
    before = latest(place)[0].info.run_id
    done = cxr_here("evaluate", "then", *overrides, folder=place)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert message in done.stderr
    assert latest(place)[0].info.run_id == before


def test_training_images_of_the_run_are_refused_as_other_data(place: Path, cxr_here: Command, phantoms: Path) -> None:
    manifest = pd.read_csv(place / "films.csv", dtype=str)
    (then,) = runs_in(place, "run_name = 'then'")
    parts = pd.read_csv(f"{str(then.info.artifact_uri).removeprefix('file://')}/data/manifest.csv", dtype=str)
    trained = set(parts.loc[parts["split"] == "train", "path"])
    manifest[manifest["path"].isin(trained)].to_csv(place / "trained.csv", index=False)
    done = cxr_here("evaluate", "then", "data=manifest", "data.manifest=trained.csv", f"data.root={phantoms}", folder=place)
    assert done.returncode == 2
    assert "in this data are among those of then itself" in done.stderr


def test_saved_model_that_would_run_code_is_refused(place: Path, cxr_here: Command) -> None:
    import keras

    (then,) = runs_in(place, "run_name = 'then'")
    model = artifacts_of(then) / "model/model.keras"
    kept = model.read_bytes()
    images = keras.Input((96, 96, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Lambda(lambda x: x + 0)(images))
    keras.Model(images, keras.layers.Dense(3, activation="softmax")(pooled)).save(model)
    try:
        done = cxr_here("evaluate", "then", "data=folder", "data.root=other", folder=place)
    finally:
        model.write_bytes(kept)
    assert done.returncode == 2
    assert "is no model that can be opened without running its own code" in done.stderr
    assert "unsafe_deserialization" not in done.stderr  # no advice to run it after all


@pytest.mark.slow
def test_several_views_are_predicted_again_with_the_saved_model(place: Path, cxr_here: Command) -> None:
    done = cxr_here("evaluate", "then", "evaluation.views=3", folder=place)
    assert done.returncode == 0, done.stderr
    run, artifacts = latest(place)
    assert run.data.params["evaluation.views"] == "3"
    own = pd.read_csv(artifacts / "predictions/test.csv").set_index("id")
    (then,) = runs_in(place, "run_name = 'then'")
    before = pd.read_csv(artifacts_of(then) / "predictions/test.csv").set_index("id")
    assert list(own.index) == list(before.index)
    moved = (own["p_covid"] - before["p_covid"]).abs()
    assert 1e-5 < moved.max() < 0.5
    assert "3 views of each image" in (artifacts / "report.html").read_text()
    refused = cxr_here("evaluate", "then", "evaluation.views=3", "data=phantom", folder=place)
    assert refused.returncode == 2
    assert "chose its thresholds with evaluation.views=1" in refused.stderr
