"""`cxr predict`: the same answers as the run's own evaluation, a reason for everything else, and nothing half-written."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageOps

from cxr.data.safe_csv import read_csv
from cxr.predict.audit_log import AuditLog, verify
from cxr.predict.output import Output
from tests.conftest import Command
from tests.data.images.test_dicom import dicom
from tests.logged_runs import artifacts_of, runs_in
from tests.predict import made

POINTS = {"argmax": "argmax", "sensitivity": "sensitivity_target"}


def artifacts(gated_run: Path) -> Path:
    return artifacts_of(runs_in(gated_run)[0])


def test_test_images_get_the_logged_probabilities_and_decisions(gated_run: Path, many_phantoms: Path, cxr_here: Command) -> None:
    logged = read_csv(artifacts(gated_run) / "predictions/test.csv").set_index("id")
    listed = pd.DataFrame({"path": [str(many_phantoms / name) for name in logged.index]})
    listed.to_csv(gated_run / "test.csv", index=False)
    report = json.loads((artifacts(gated_run) / "report.json").read_text())["assessment"]
    rates = {point["rule"]["name"]: point["evaluated"] for point in report["operating_points"]}
    for point, rule in POINTS.items():
        done = cxr_here("predict", "then", "test.csv", "--point", point, "--no-gate", "--to", point, folder=gated_run)
        assert done.returncode == 0, done.stderr
        predictions = read_csv(gated_run / point / "predictions.csv")
        for column in ("p_covid", "p_normal", "p_viral_pneumonia"):
            np.testing.assert_allclose(predictions[column].astype(float), logged[column].astype(float), atol=1e-4)
        assert (predictions["class"] == "COVID").sum() == rates[rule]["called_positive"]
        zones = {zone["name"]: sum(zone["images"].values()) for zone in report["triage"]["zones"]}
        assert predictions["zone"].value_counts().to_dict() == {name: count for name, count in zones.items() if count}
        assert set(predictions["path"]) == {str(many_phantoms / name) for name in logged.index}


@pytest.fixture
def odd(tmp_path: Path, many_phantoms: Path) -> Path:
    """A folder with one good radiograph, the same as DICOM, and what people leave next to radiographs."""
    radiograph = many_phantoms / "COVID/images/COVID-1.png"
    grey = Image.open(radiograph).convert("L")
    shutil.copy(radiograph, tmp_path / "film.png")
    ImageOps.invert(grey).save(tmp_path / "inverted.png")
    grey.rotate(180).save(tmp_path / "turned.png")
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (12, 12, 3)).astype(np.uint8)).resize((120, 120)).save(tmp_path / "photo.jpg")
    Image.fromarray(rng.integers(0, 256, (96, 96)).astype(np.uint8)).save(tmp_path / "noise.png")
    (tmp_path / "notes.txt").write_text("=HYPERLINK(1)")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "IM0001").write_bytes(dicom(np.asarray(grey, np.uint16), PatientName="Somebody^Real", PatientID="12345"))
    return tmp_path


def test_each_kind_of_file_gets_its_answer_or_reason(odd: Path, gated_run: Path, cxr_here: Command) -> None:
    out = odd / "out"
    more = ("--html", str(out / "page.html"), "--log", str(out / "log"), "--heatmaps", str(out / "heat"))
    done = cxr_here("predict", "then", str(odd), "--to", str(out), *more, folder=gated_run)
    assert done.returncode == 1, done.stderr  # notes.txt
    assert "Traceback" not in done.stderr, done.stderr
    table = read_csv(out / "predictions.csv").set_index("path")
    table.index = [Path(path).name for path in table.index]
    reasons = table["reason"].to_dict()
    assert reasons.pop("film.png") == reasons.pop("IM0001") == ""
    assert reasons.pop("notes.txt") == "not an image that can be recognised"
    assert "the film seems inverted" in reasons.pop("inverted.png")
    assert "the film seems turned by 180 degrees" in reasons.pop("turned.png")
    assert "in colours, like a photograph" in reasons.pop("photo.jpg")
    assert "unlike the images that the model knows" in reasons["noise.png"]
    assert "no lungs found: " in reasons.pop("noise.png")
    assert reasons == {}
    assert (table.loc[table["reason"] != "", ["class", "zone", "conformal_set"]] == "").all(axis=None)
    assert "Not answered: " in done.stdout
    assert len(list((out / "heat").iterdir())) == 2
    written = [path.read_bytes() for path in out.rglob("*") if path.is_file()]
    assert not any(b"Somebody" in content or b"12345" in content for content in written)
    assert cxr_here("predict", "--verify-log", str(out / "log"), folder=gated_run).returncode == 0


def test_ood_image_without_the_gate_gets_a_class_and_keeps_its_flags(odd: Path, gated_run: Path, cxr_here: Command) -> None:
    done = cxr_here("predict", "then", str(odd / "noise.png"), "--no-gate", "--to", str(odd / "out"), folder=gated_run)
    assert done.returncode == 0
    (row,) = read_csv(odd / "out/predictions.csv").to_dict("records")
    assert row["class"]
    assert "unlike" in row["flags"]


@pytest.mark.slow
def test_interrupted_batch_is_resumed_and_ends_the_same(
    gated_run: Path, many_phantoms: Path, tmp_path: Path, cxr_here: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("predict", "then", str(many_phantoms / "COVID"), "--to")
    assert cxr_here(*command, str(tmp_path / "whole"), folder=gated_run).returncode == 0
    add, calls = Output.add, []

    def interrupted(self: Output, answers: list[object]) -> None:
        calls.append(len(answers))
        if len(calls) > 2:
            raise KeyboardInterrupt
        add(self, answers)  # type: ignore[arg-type]

    monkeypatch.setattr(Output, "add", interrupted)
    assert cxr_here(*command, str(tmp_path / "cut"), folder=gated_run).returncode == 130
    monkeypatch.undo()
    assert not (tmp_path / "cut/predictions.csv").exists()
    again = cxr_here(*command, str(tmp_path / "cut"), folder=gated_run)
    assert again.returncode == 2
    assert "resume it with --resume" in again.stderr
    assert cxr_here(*command, str(tmp_path / "cut"), "--resume", folder=gated_run).returncode == 0
    whole, cut = (read_csv(tmp_path / name / "predictions.csv") for name in ("whole", "cut"))
    assert whole["path"].tolist() == cut["path"].tolist()
    np.testing.assert_allclose(whole["p_covid"].astype(float), cut["p_covid"].astype(float), atol=1e-6)


def logged_hashes(log: Path) -> list[str]:
    return [json.loads(line)["sha256"] for line in log.read_text().splitlines()]


def test_after_a_full_disk_answers_and_audit_log_agree_and_a_replaced_file_is_answered_again(
    gated_run: Path, many_phantoms: Path, tmp_path: Path, cxr_here: Command
) -> None:
    images = [tmp_path / f"{number}.png" for number in range(3)]
    for number, image in enumerate(images, 1):
        shutil.copy(many_phantoms / f"COVID/images/COVID-{number}.png", image)
    out, log = tmp_path / "out", tmp_path / "log"
    command = ("predict", "then", *map(str, images), "--to", str(out), "--log", str(log))
    AuditLog(log, "a" * 32, {}, print).append([made.answered("of another batch.png")] * 12_000)  # larger than any other file
    with made.full_disk(log.stat().st_size + 800):
        full = cxr_here(*command, folder=gated_run)
    assert full.returncode == 2
    assert full.stderr.splitlines()[-1].endswith("log can't be written: File too large: correct that, then resume with --resume")
    assert "Traceback" not in full.stderr
    assert verify(log)[0] == 12_000
    before = [hashlib.sha256(image.read_bytes()).hexdigest() for image in images]
    shutil.copy(many_phantoms / "Normal/images/Normal-1.png", images[1])
    now = hashlib.sha256(images[1].read_bytes()).hexdigest()
    again = cxr_here(*command, "--resume", folder=gated_run)
    assert again.returncode == 0, again.stderr
    assert "1 file changed since the batch was interrupted: answered again" in again.stderr
    hashes = read_csv(out / "predictions.csv").set_index("path")["sha256"].to_dict()
    assert hashes == dict(zip(map(str, images), (before[0], now, before[2]), strict=True))
    stored = [json.loads(line)["sha256"] for line in (out / "predictions.jsonl").read_text().splitlines()]
    assert sorted(stored) == sorted(hashes.values())
    assert sorted(logged_hashes(log)[12_000:]) == sorted([*before, now])  # whatever was answered, each once
    assert cxr_here("predict", "--verify-log", str(log), folder=gated_run).returncode == 0


def test_second_process_does_not_write_into_a_folder_whose_batch_is_under_way(
    gated_run: Path, many_phantoms: Path, tmp_path: Path, cxr_here: Command, run_cxr: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("predict", "then", str(many_phantoms / "COVID/images/COVID-1.png"), "--to", str(tmp_path / "out"))
    add = Output.add
    others: list[tuple[int, str]] = []

    def add_while_others_try(self: Output, answers: list[object]) -> None:
        add(self, answers)  # type: ignore[arg-type]
        if not others:
            for more in ((), ("--resume",)):
                other = run_cxr(*command, *more, folder=gated_run)
                others.append((other.returncode, other.stderr))

    monkeypatch.setattr(Output, "add", add_while_others_try)
    assert cxr_here(*command, folder=gated_run).returncode == 0
    assert [code for code, _ in others] == [2, 2]
    assert all("a batch is under way in" in text and "--resume" not in text for _, text in others)
    assert len(read_csv(tmp_path / "out/predictions.csv")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("then",), "cxr predict needs a run and what to ask it about"),
        (("then", "nowhere"), "there is no file or folder nowhere"),
        (("than", "."), "there is no run than: did you mean then"),
        (("then", ".", "--to", "."), "is the folder of the images"),
        (("then", ".", "--to", "mlruns/answers"), "mlruns/answers is in mlruns, which keeps runs"),
        (("then", ".", "--html", "/dev/null/answers.html"), "answers.html can't be written: "),
        (("then", ".", "--log", "."), "can't be written (it is a folder): name another file"),
        (("then", ".", "--point", "best"), "invalid choice: 'best'"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(
    arguments: tuple[str, ...], message: str, gated_run: Path, cxr_here: Command
) -> None:
    before = sorted(gated_run.iterdir())
    done = cxr_here("predict", *arguments, folder=gated_run)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(gated_run.iterdir()) == before


@pytest.mark.parametrize("check", ["gate", "orientation"])
def test_check_that_can_not_be_read_is_not_left_out(check: str, odd: Path, gated_run: Path, cxr_here: Command) -> None:
    (file,) = gated_run.glob(f"mlruns/artifacts/*/artifacts/model/{check}.npz")
    kept = file.rename(odd / "kept.npz")
    file.symlink_to(file.name)  # a loop, which the system refuses to read, as it does without permission
    try:
        done = cxr_here("predict", "then", str(odd / "noise.png"), "--to", str(odd / "out"), folder=gated_run)
    finally:
        file.unlink()
        kept.rename(file)
    assert done.returncode == 2, done.stdout
    assert f"model/{check}.npz of run then" in done.stderr
    assert not (odd / "out").exists()


@pytest.mark.slow
def test_manifest_by_the_real_command(gated_run: Path, many_phantoms: Path, tmp_path: Path, run_cxr: Command) -> None:
    (tmp_path / "one.csv").write_text(f"path\n{many_phantoms}/Normal/images/Normal-1.png\n")
    done = run_cxr("predict", "then", str(tmp_path / "one.csv"), "--to", str(tmp_path), folder=gated_run)
    assert done.returncode == 0, done.stderr
    assert "research use only, no diagnosis" in done.stdout
    assert len(read_csv(tmp_path / "predictions.csv")) == 1
