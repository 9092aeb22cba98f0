"""What a finished run lacks after one change: the stages that run again, with their reasons, and no other."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import mlflow
import pandas as pd
import pytest

from cxr.config.schema import TrackingConfig
from cxr.errors import UserError
from cxr.run.identity.attempt import RunResult
from cxr.run.identity.reasons import reasons_of
from cxr.run.identity.remaining import Remaining, records_of, remaining
from cxr.run.prepared import PreparedRun
from cxr.stages.basis import Basis
from cxr.stages.table import Stage
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import filtered_runs, runs_by_id
from cxr.tracking.store import locate_store, open_store
from tests.run.conftest import broken, do_run, prepared_run

SMALL = (
    *("split=three_way", "freeze.warmup_epochs=0"),
    *("training.epochs=1", "training.threads=1", "augment=none", "training.deterministic=true"),
    *("evaluation.resamples=100", "evaluation.figure_dpi=50", "evaluation.pictures=false", "baseline.auto=false"),
    *("audit.seen=40", "audit.changed=4", "audit.mapped=2"),
)
AUDITED = "audit.images=40"


class Place:
    """A folder with forty images, a manifest of them, and a store."""

    def __init__(self, folder: Path, images: Path, backbone: tuple[str, ...]) -> None:
        self.backbone = backbone
        self.folder, self.images, self.table = folder, folder / "images", folder / "table.csv"
        shutil.copytree(images, self.images)
        for path in sorted(self.images.rglob("*.png")):
            (path.parents[1] / "masks").mkdir(exist_ok=True)
            shutil.copy(path, path.parents[1] / "masks" / path.name)  # bright enough to differ from an empty one
        paths = sorted(path.relative_to(self.images).as_posix() for path in self.images.rglob("images/*.png"))
        manifest = pd.DataFrame({"path": paths, "label": [path.split("/")[0] for path in paths]})
        manifest["source"] = ["one" if number % 2 else "other" for number in manifest.index]
        manifest["group"] = [f"patient {number}" for number in manifest.index]
        manifest.assign(age=manifest.index + 20).to_csv(self.table, index=False)

    def correct(self, column: str, value: str, rows: int = 3) -> None:
        manifest = pd.read_csv(self.table, dtype=str)
        manifest.loc[: rows - 1, column] = value
        manifest.to_csv(self.table, index=False)

    def overrides(self, *more: str) -> list[str]:
        data = ("data=manifest", f"data.manifest={self.table}", f"data.root={self.images}", "data.columns.more=[age]")
        return [*data, *SMALL, *self.backbone, *more]

    def prepared(self, *more: str) -> PreparedRun:
        return prepared_run(*self.overrides(*more))

    def left(self, *more: str) -> Remaining:
        return remaining(self.prepared(*more))

    def left_and_why(self, *more: str) -> tuple[set[str], str]:
        return stages_and_reasons(self.prepared(*more))

    def run(self, *more: str) -> RunResult:
        return do_run(*self.overrides(*more))


@pytest.fixture(scope="module")
def finished(
    phantoms: Path, small_backbone: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Place, LoggedRun]]:
    """A place with one audited run, for tests that change nothing in its store."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder := tmp_path_factory.mktemp("finished"))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        place = Place(folder, phantoms, small_backbone)
        yield place, logged(place.run(AUDITED))


@pytest.fixture
def place(finished: tuple[Place, LoggedRun], monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """The same, with table and masks as they were after each test."""
    place, _ = finished
    monkeypatch.chdir(place.folder)
    open_store(locate_store(TrackingConfig()))
    table, masks = place.table.read_bytes(), {path: path.read_bytes() for path in place.images.rglob("masks/*.png")}
    yield place
    place.table.write_bytes(table)
    for path, content in masks.items():
        path.write_bytes(content)


@pytest.fixture(scope="module")
def again(finished: tuple[Place, LoggedRun]) -> PreparedRun:
    """The same run, prepared once more."""
    return finished[0].prepared(AUDITED)


def stages(left: Remaining) -> set[str]:
    return {stage.value for stage in left.stages} - {"decode"}


def stages_and_reasons(prepared: PreparedRun) -> tuple[set[str], str]:
    """What is left to make of a run, and why."""
    left = remaining(prepared)
    return stages(left), "\n".join(reasons_of(left, prepared.dataset.manifest))


ALL = {"train", "gate", "predict", "assess", "audit", "report"}


WITHOUT_EFFECT = (
    *(AUDITED, "audit.images=0", "optimizer.momentum=0.5", "+data.aliases.COVID=[covid19]", "prepare.dilation=1.5"),
    *("loss.effective_beta=0.5", "freeze.warmup_epochs=2", "optimizer.backbone_rate=0.5", "optimizer.plateau_patience=5"),
    *("augment.views=3", "training.threads=2", "freeze.batch_norm_momentum=0.5", "tracking.run_name=another"),
    "evaluation.saliency_images=3",
)


@pytest.mark.parametrize("override", WITHOUT_EFFECT)
def test_setting_without_an_effect_leaves_nothing_to_make(place: Place, override: str) -> None:
    assert place.left(AUDITED, override).is_nothing


@pytest.mark.parametrize(
    ("override", "wanted", "reason"),
    [
        ("evaluation.sensitivity=0.9", {"assess", "report"}, "assess: evaluation.sensitivity was 0.95 in run "),
        ("evaluation.subgroups=[age]", {"assess", "report"}, "assess: evaluation.subgroups was None in run "),
        ("evaluation.primary=accuracy", {"report"}, "report: evaluation.primary was auc_macro_ovr in run "),
        ("data.citation=Someone", {"report"}, "report: data.citation was empty in run "),
        ("evaluation.views=2", {"predict", "assess", "report"}, "predict: evaluation.views was 1 in run "),
        ("audit.images=30", {"audit", "report"}, "audit: audit.images was 40 in run "),
        ("loss.focal_gamma=2", ALL, "train: loss.focal_gamma was 0.0 in run "),
        ("force=true", ALL, "train: force=true"),
    ],
)
def test_setting_makes_its_stage_run_again(place: Place, override: str, wanted: set[str], reason: str) -> None:
    left, why = place.left_and_why(AUDITED, override)
    assert left == wanted
    assert reason in why


@pytest.mark.parametrize(
    ("column", "value", "wanted", "reason"),
    [
        ("source", "a third", {"assess", "audit", "report"}, "3 with another source"),
        ("age", "99", {"assess", "report"}, "3 with another age"),
        ("group", "one patient", ALL, "with another group"),  # whose images may not be in two parts of the split
        ("label", "Normal", ALL, "with another label"),
    ],
)
def test_corrected_column_runs_the_stages_that_read_it(
    place: Place, column: str, value: str, wanted: set[str], reason: str
) -> None:
    place.correct(column, value)
    left, why = place.left_and_why(AUDITED)
    assert left == wanted
    assert reason in why


def test_content_of_a_mask_file_counts_for_the_audit(place: Place) -> None:
    masks = sorted(place.images.rglob("masks/*.png"))
    shutil.copy(masks[1], masks[0])
    left, why = place.left_and_why(AUDITED)
    assert left == {"audit", "report"}
    assert "audit: the masks of run " in why


def test_unreadable_mask_is_an_error(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    prepared, read_bytes = place.prepared(AUDITED), Path.read_bytes

    def only_masks_fail(path: Path) -> bytes:
        if "masks" in path.parts:
            raise PermissionError(13, "Permission denied")
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", only_masks_fail)
    with pytest.raises(UserError, match=r"can't read the lung mask .*correct its permissions"):
        prepared.inputs.bases  # noqa: B018 - it is worked out here


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("predictions/test.csv", {"predict", "assess", "report"}),
        ("predictions/val.csv", {"predict", "assess", "report"}),
        ("model/decisions.json", {"assess", "report"}),
        ("evaluation/metrics.json", {"assess", "report"}),
        ("audit/audit.json", {"audit", "report"}),
        ("report.html", {"report"}),
        ("training/training.json", ALL),  # the epochs, which no other file has
        ("model/model.keras", ALL),
        ("data/manifest.csv", set()),
    ],
)
@pytest.mark.parametrize("how", ["removed", "emptied", "changed"])
def test_file_that_is_lost_is_made_again(
    again: PreparedRun, finished: tuple[Place, LoggedRun], file: str, wanted: set[str], how: str
) -> None:
    path = finished[1].file(file)
    content = path.read_bytes()
    try:
        if how == "removed":
            path.unlink()
        else:
            path.write_bytes(b"" if how == "emptied" else content[:-1] + b"?")
        left, why = stages_and_reasons(again)
        assert left == wanted
        assert f"{file} of run " in why
    finally:
        path.write_bytes(content)


def test_code_of_a_module_counts_for_its_stage(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from cxr.stages import basis
    from cxr.stages.code import modules_of

    changed = {**modules_of(Stage.GATE), "audit/gate.py": "changed"}
    monkeypatch.setattr(basis, "modules_of", lambda stage: changed if stage == Stage.GATE else modules_of(stage))
    left, why = place.left_and_why(AUDITED)
    assert left == ALL - {"train"}
    assert "the code of audit/gate.py changed since run " in why


def test_run_of_an_earlier_version_is_made_again(place: Place, finished: tuple[Place, LoggedRun]) -> None:
    client, run = mlflow.MlflowClient(), finished[1]
    fingerprint = run.tags["cxr.train_fingerprint"]
    client.delete_tag(run.id, "cxr.train_fingerprint")
    try:
        left, why = place.left_and_why(AUDITED)
        assert left == ALL
        assert re.search("an earlier version of cxr made run .* cannot tell", why)
    finally:
        client.set_tag(run.id, "cxr.train_fingerprint", fingerprint)


# Runs that change a store, each in one of its own.


@pytest.fixture
def own(phantoms: Path, small_backbone: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, phantoms, small_backbone)


def logged(end: RunResult) -> LoggedRun:
    return runs_by_id([end.run_id])[end.run_id]


def files_of(end: RunResult, *names: str) -> dict[str, bytes]:
    return {name: logged(end).file(name).read_bytes() for name in names}


def test_audit_is_added_to_the_same_run_and_nothing_is_trained_again(own: Place, trained: list[int]) -> None:
    first = own.run("audit.images=0")
    kept = files_of(first, "model/model.keras", "predictions/test.csv", "evaluation/metrics.json")
    assert own.run(AUDITED).run_id == first.run_id
    assert len(trained) == 1
    run = logged(first)
    assert run.is_finished
    assert run.tags["cxr.audit"]
    assert (run.params["audit.images"], run.params["audit.seen"]) == ("40", "40")
    assert "audit/images" in run.metrics
    assert files_of(first, *kept) == kept
    assert own.left(AUDITED).is_nothing
    assert own.left("audit.images=0").is_nothing


@pytest.mark.slow
def test_assessment_with_other_targets_is_that_of_a_run_of_its_own(own: Place, trained: list[int]) -> None:
    """Of a single run it is made again in the same run, and every number is that of a fresh store."""
    first = own.run(AUDITED)
    second = own.run(AUDITED, "evaluation.sensitivity=0.8", "evaluation.missed_cost=3")
    assert (second.run_id, len(trained)) == (first.run_id, 1)
    changed = logged(first)
    assert changed.params["evaluation.sensitivity"] == "0.8"
    fresh = own.run(AUDITED, "evaluation.sensitivity=0.8", "evaluation.missed_cost=3", "force=true")
    assert fresh.run_id != first.run_id
    numbers = {name: value for name, value in fresh.metrics.items() if not name.startswith(("seconds/", "frozen/"))}
    assert numbers.keys() <= changed.metrics.keys()
    assert {name: changed.metrics[name] for name in numbers} == numbers
    names = ("evaluation/metrics.json", "model/decisions.json", "audit/audit.json", "predictions/test.csv")
    assert files_of(first, *names) == files_of(fresh, *names)


@pytest.mark.parametrize(
    "more",
    [
        (),
        pytest.param(("freeze=last_block",), marks=pytest.mark.slow),
        pytest.param(("freeze=last_block", "freeze.batch_norm=train", "training.cache=false"), marks=pytest.mark.slow),
    ],
)
def test_predictions_are_made_again_to_the_bit_from_the_model(own: Place, trained: list[int], more: tuple[str, ...]) -> None:
    more = (*more, "data=phantom", "data.manifest=null", "data.root=null", "data.columns.more=[]", "data.phantom.count=150")
    names = ("predictions/test.csv", "predictions/val.csv", "features/validation.csv", "model/model.keras", "model/orientation.npz")
    first = own.run(*more)
    run = logged(first)
    before = files_of(first, *names, "evaluation/metrics.json")
    run.file("predictions/test.csv").unlink()
    run.file("predictions/val.csv").write_bytes(b"")
    epochs = len(trained)
    assert own.run(*more).run_id == first.run_id
    assert len(trained) == epochs
    assert files_of(first, *before) == before
    assert own.left(*more).is_nothing


@pytest.mark.slow
def test_run_that_another_sweep_shows_is_not_changed(own: Place, trained: list[int]) -> None:
    first = own.run("audit.images=0")
    mlflow.MlflowClient().set_tag(first.run_id, "cxr.sweep_id", "another-sweep")
    before = files_of(first, "evaluation/metrics.json", "report.json")
    second = own.run("audit.images=0", "evaluation.sensitivity=0.8")
    assert second.run_id != first.run_id
    assert len(trained) == 1
    assert files_of(first, *before) == before
    copied = logged(second)
    assert copied.tags["cxr.training_of"] == first.run_id
    names = ("model/model.keras", "predictions/test.csv", "predictions/val.csv")
    assert files_of(first, *names) == files_of(second, *names)
    assert own.left("audit.images=0", "evaluation.sensitivity=0.8").is_nothing
    assert own.run(AUDITED).run_id == first.run_id  # to which it only adds


def test_run_that_is_cut_off_while_it_is_changed_resumes_there(own: Place, trained: list[int]) -> None:
    first = own.run()
    with broken("cxr.run.report.artifacts.write_report"):
        own.run("evaluation.sensitivity=0.8")
    assert not logged(first).is_finished
    assert own.run("evaluation.sensitivity=0.8").run_id == first.run_id
    assert own.left("evaluation.sensitivity=0.8").is_nothing
    assert own.run().run_id == first.run_id  # and back
    assert logged(first).params["evaluation.sensitivity"] == "0.95"
    assert len(trained) == 1
    fresh = own.run("force=true")
    names = ("evaluation/metrics.json", "model/decisions.json")
    assert files_of(first, *names) == files_of(fresh, *names)


@pytest.mark.slow
def test_failed_audit_is_completed_by_evaluate(own: Place, trained: list[int]) -> None:
    from cxr.commands.evaluate import main

    with broken("cxr.run.pipeline.audit_run"):
        own.run(AUDITED)
    (run,) = filtered_runs("")
    main([run.id])
    (run,) = filtered_runs("")
    assert run.is_finished
    assert run.has_file("audit/audit.json")
    assert run.tags["cxr.audit"]
    assert stages(own.left(AUDITED)) <= {"report"}
    assert len(trained) == 1


@pytest.mark.slow
def test_report_is_made_again_when_its_baseline_is_another(own: Place, trained: list[int]) -> None:
    first = own.run("audit.images=0")
    assert not [name for name in logged(first).metrics if name.startswith("vs_baseline/")]
    second = own.run("audit.images=0", "baseline.auto=true")
    run, baseline = logged(first), filtered_runs("tags.`cxr.role` = 'baseline'")[0]
    assert (second.run_id, run.tags["cxr.baseline"]) == (first.run_id, baseline.id)
    assert [name for name in run.metrics if name.startswith("vs_baseline/")]
    assert own.left("audit.images=0").is_nothing
    epochs = len(trained)
    mlflow.MlflowClient().delete_run(baseline.id)
    left, why = own.left_and_why("audit.images=0")
    assert left == {"report"}
    assert "report: the baseline of run" in why
    own.run("audit.images=0")
    assert len(trained) == epochs


@pytest.mark.slow
def test_changed_run_shows_neither_an_old_audit_nor_an_old_report(own: Place, trained: list[int]) -> None:
    first = own.run(AUDITED)
    own.correct("source", "a third", rows=9)
    second = own.run("audit.images=0")  # would keep the audit of the old sources
    assert second.run_id != first.run_id
    assert len(trained) == 1
    assert not logged(second).has_file("audit/audit.json")


@pytest.mark.slow
def test_run_whose_artifacts_were_removed_is_made_again(own: Place, trained: list[int]) -> None:
    first = own.run("audit.images=0")
    shutil.rmtree(logged(first).file("report.html").parent)
    assert "the folder of artifacts of run" in own.left_and_why("audit.images=0")[1]
    assert own.run("audit.images=0").run_id != first.run_id


@pytest.mark.slow
def test_audit_that_a_command_added_counts(own: Place, trained: list[int]) -> None:
    from cxr.commands.audit import main

    own.run("audit.images=0")
    (run,) = filtered_runs("")
    main([run.id])
    assert stages(own.left("audit=standard", *("audit.seen=160", "audit.changed=24", "audit.mapped=8"))) == {"report"}
    main([run.id, "audit.images=40", "audit.seen=40", "audit.changed=4", "audit.mapped=2"])
    left, why = own.left_and_why(AUDITED)
    assert left == {"report"}
    assert "report: the audit of run" in why
    assert len(trained) == 1


@pytest.mark.slow
def test_stages_that_do_not_move_give_the_same_bytes_and_those_that_move_do_not(own: Place) -> None:
    """The rule of the table of stages, executed: every change is made from nothing, in deterministic mode."""
    first = contents(own.run(AUDITED))
    settings = ("optimizer.momentum=0.5", "evaluation.sensitivity=0.7", "evaluation.views=2", "audit.seen=30", "loss.focal_gamma=2")
    for change in settings:
        fresh = contents(own.run(AUDITED, change, "force=true"))
        for stage in (Stage.TRAIN, Stage.GATE, Stage.PREDICT, Stage.ASSESS, Stage.AUDIT):
            same = fresh[stage][0] == first[stage][0] or not fresh[stage][1]  # forty images make no gate
            assert (fresh[stage][1] == first[stage][1]) == same, f"{change}: {stage}"


def contents(end: RunResult) -> dict[Stage, tuple[Basis, dict[str, bytes]]]:
    """The basis and the files of every stage; of the model its weights, since Keras writes a date next to them."""
    run = logged(end)

    def content(path: Path) -> bytes:
        return ZipFile(path).read("model.weights.h5") if path.suffix == ".keras" else path.read_bytes()

    records = records_of(run, list(Stage))
    return {stage: (record.basis, {name: content(run.file(name)) for name in record.files}) for stage, record in records.items()}
