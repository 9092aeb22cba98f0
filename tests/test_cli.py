"""The command: every user error gives one line and exit code 2, and leaves no files."""

import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cxr.commands.arguments import PARSERS
from tests.conftest import Command

STAGES = ("Looking through ", "Decoding ")  # what went well before


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, phantoms: Path) -> Path:
    """A folder with data of several kinds of wrong. Tests add nothing to it."""
    folder = tmp_path_factory.mktemp("mistakes")
    (folder / "empty").mkdir()
    (folder / "no_images/A").mkdir(parents=True)
    (folder / "no_images/B").mkdir()
    (folder / "weights.h5").write_text("not weights")
    shutil.copytree(phantoms, folder / "good")
    shutil.copytree(phantoms, folder / "few")
    for image in sorted((folder / "few/COVID/images").iterdir())[2:]:
        image.unlink()
    shutil.copytree(phantoms, folder / "corrupt")
    (folder / "corrupt/Normal/images/Normal-3.png").write_bytes(b"\x89PNG\r\n\x1a\nrubbish")
    return folder


# A command line, and what its message says.
MISTAKES = {
    "freeze=tp_block": "freeze=tp_block is not an option: did you mean last_block?",
    "freeze=null": "a group can't be null: choose one of its options",
    "freez=head": "there is no group freez: did you mean freeze?",
    "optimizer.learning_rat=1": "there is no setting optimizer.learning_rat: did you mean learning_rate",
    "learning_rate=1": "did you mean optimizer.learning_rate?",
    "optimizer.learning_rate=fast": "optimizer.learning_rate=fast is not a number",
    "training.seed=1.5": "training.seed=1.5 is not a whole number",
    "training.cache=maybe": "training.cache=maybe is not true or false",
    "training.batch_size=0": "training.batch_size=0 is out of range",
    "~training.seed": "training.seed can't be left out",
    "trainn": "there is no command trainn",
    "a=[1": "can't read the argument 'a=[1'",
    "data=radiography": "add data.root=FOLDER",
    "data=radiography data.root=nowhere": "data.root=nowhere does not exist",
    "data=folder data.root=empty": "data.root=empty holds no images",
    "data=folder data.root=no_images": "data.root=no_images holds no images",
    "data=folder data.root=few backbone=phantom": "class COVID has 2 images, too few to split into 3 parts",
    "data=folder data.root=corrupt backbone=phantom": "can't read corrupt/Normal/images/Normal-3.png",
    f"data.manifest={'long' * 80}.csv": "is too long a name for a file: give a shorter one",
    "backbone.weights=nowhere.h5": "backbone.weights=nowhere.h5: no such file",
    "backbone.weights=weights.h5": "can't be read as an HDF5 weights file",
    "freeze.gradual={head:1}": "freeze.gradual takes a new entry by +freeze.gradual.NAME=VALUE",
    "backbone.name=xception backbone.alpha=1 backbone.image_size=64": "it must be at least 71",
    "freeze.trainable_from=block_17": "did you mean block_7",
    "backbone.alpha=0.5": "does not fit MobileNetV2 with backbone.alpha=0.5",
    "loss=cost +loss.costs.covd.normal=3": "the data has no class covd: did you mean covid?",
    "-m loss=plain,focal data=folder data.root=few backbone=phantom": "class COVID has 2 images, too few",
    "-m tracking.offline=true,false": "a sweep has one store: give tracking.offline one value",
    "-m loss=plain,fcal": "loss=fcal is not an option: did you mean focal?",
    "objective.metric=test/accuracy": "what chooses among runs must not be what judges them",
    "objective.metric=val/covid/sensitivty": "did you mean val/covid/sensitivity",
    "loss=focal loss=plain": "loss is given more than once (loss=focal loss=plain): give it once, or with -m as loss=A,B",
    "tracking.run_name=what's": "needs quotes: 'tracking.run_name='",
    "data.root= data=folder": "data.root is empty: give a path, or leave it out",
    "data=phantom data.root=good": "data.root=good holds no such phantoms, and they are drawn into the cache alone",
    "data=folder data.root=.": "among the images: give the command in another folder",
    "data check data=folder data.root=a data.root=b": "data.root is given more than once",
    "loss.group_robust=0.1 augment.mixup=0.2": "augment.mixup makes images of two: choose one of them",
    "objective=worst_group_auc": "needs subgroups, and all images are of one: data.columns.more=[sex] keeps a column of a table",
    "objective=auc_without_shortcut audit=off": "comes from an audit, and the run has no audit: choose audit=standard",
    "+data.keep.source=[elsewhere]": "data.keep.source keeps elsewhere, which no image has",
    "evaluation.primary=auc": "evaluation.primary=auc is not compared for these classes",
    "compare x": "there are no runs in",
    "reproduce x": "there are no runs in",
    "tracking.uri=some/folder": "is not one that MLflow can write to",
    "tracking.uri=http://127.0.0.1:9": "no MLflow server answers at http://127.0.0.1:9",
}
# One of a config and one of data: these are typed for real, in a process of their own.
REAL = ["freeze=tp_block", "data=folder data.root=corrupt backbone=phantom"]


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(line: str, folder: Path, cxr_here: Command) -> None:
    check_mistake(line, folder, cxr_here)


@pytest.mark.parametrize("line", REAL)
def test_mistake_in_its_own_process_is_one_line(line: str, folder: Path, run_cxr: Command) -> None:
    check_mistake(line, folder, run_cxr)


def check_mistake(line: str, folder: Path, command: Command) -> None:
    arguments, before = line.split(), sorted(folder.iterdir())
    if arguments[0] not in PARSERS and "data=" not in line:
        arguments += ["data=folder", "data.root=good", "backbone=phantom"]
    done = command(*arguments, folder=folder)
    assert done.returncode == 2, done.stderr
    complaint = done.stderr.splitlines()[-1]
    assert complaint.startswith("cxr: ")
    assert MISTAKES[line] in complaint
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if not line.startswith(STAGES)] == [complaint]
    assert sorted(folder.iterdir()) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device without room")
def test_full_disk_is_one_line(folder: Path, tmp_path: Path, cxr_here: Command) -> None:
    (tmp_path / "list.part").symlink_to("/dev/full")
    done = cxr_here("data", "index", "data=folder", f"data.root={folder / 'good'}", "--to", "list.csv", folder=tmp_path)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("cxr: no room on disk ([Errno 28] No space left on device")
    assert not (tmp_path / "list.csv").exists()


def test_help_and_the_composed_config_are_printed_without_a_run(tmp_path: Path, run_cxr: Command) -> None:
    shown = run_cxr("--help", folder=tmp_path)
    assert shown.returncode == 0
    assert "freeze: all, from_scratch, gradual, half, head, last_block, last_stage" in shown.stdout
    assert "trainable_from: last_stage" in run_cxr("--cfg", "job", "freeze=last_stage", folder=tmp_path).stdout
    assert list(tmp_path.iterdir()) == []


def test_run_that_fails_later_is_marked_failed_with_its_reason(tmp_path: Path, phantoms: Path, cxr_here: Command) -> None:
    (tmp_path / "mlruns").mkdir()
    (tmp_path / "mlruns/artifacts").symlink_to("a place that is not there")
    done = cxr_here("data=folder", f"data.root={phantoms}", "backbone=phantom", "training=quick", "audit=off", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("cxr: the store in ")
    with sqlite3.connect(tmp_path / "mlruns/mlflow.db") as store:
        assert store.execute("select status from runs").fetchall() == [("FAILED",)]
        assert "artifacts" in store.execute("select value from tags where key = 'cxr.failure'").fetchone()[0]
    assert not list(tmp_path.glob("mlruns/unfinished/*/"))  # nothing was trained yet


@pytest.mark.slow
def test_run_continues_after_its_output_pipe_is_closed(tmp_path: Path, small_backbone: tuple[str, ...], cache_home: Path) -> None:
    """As before `| head -1`, or in a notebook that died."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cxr",
            *small_backbone,
            "data.phantom.count=60",
            "training.epochs=1",
            "evaluation=numbers",
            "audit=off",
        ],
        cwd=tmp_path,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}, "CXR_CACHE": str(cache_home / "kept")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(300) == 0
    with sqlite3.connect(tmp_path / "mlruns/mlflow.db") as store:
        assert store.execute("select status from runs").fetchall() == [("FINISHED",)]
        assert store.execute("select value from tags where key = 'cxr.stage'").fetchone() == ("finished",)


def test_version_is_printed(tmp_path: Path, cxr_here: Command) -> None:
    done = cxr_here("--version", folder=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"cxr {version('cxr')}\n")


def test_flag_between_overrides_is_accepted(tmp_path: Path, cxr_here: Command) -> None:
    done = cxr_here("data=phantom", "-m", "loss=plain,fcal", folder=tmp_path)
    assert done.returncode == 2
    assert "loss=fcal is not an option" in done.stderr


def test_hint_names_the_command_as_it_was_called(tmp_path: Path, cxr_here: Command) -> None:
    done = cxr_here("freeze=null", folder=tmp_path, CXR_COMMAND="scripts/cxr")
    assert done.stderr.startswith("cxr: ")  # the prefix names the program, not how it was called
    assert "(scripts/cxr --help lists them)" in done.stderr


@pytest.mark.parametrize("arguments", [("data=phantom",), ("-m", "loss=plain,focal"), ("data", "check"), ("runs",)])
def test_user_without_home_folder_is_one_line(
    arguments: tuple[str, ...], tmp_path: Path, cxr_here: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    done = cxr_here(*arguments, folder=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    message = "this user has no home folder, and the cache and MLflow need one: give HOME=FOLDER before the command"
    assert done.stderr == f"cxr: {message}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["", "-m", "plan", "data check", "submit", "evaluate then"])
def test_images_without_a_kind_are_those_of_a_folder(command: str, tmp_path: Path, cxr_here: Command) -> None:
    done = cxr_here(*command.split(), "data.root=archive (1)", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("cxr: the images are read as those of data=folder: give data=NAME for another kind\n")
    assert "there are no runs" in done.stderr or "data.root=archive (1) does not exist" in done.stderr
