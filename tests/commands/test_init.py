"""`cxr init`: a project that works, and what is refused."""

from pathlib import Path

from cxr.config.options import CONF_DIR
from tests.conftest import Command


def test_new_project_works_in_every_command(tmp_path: Path, phantoms: Path, cxr_here: Command) -> None:
    made = cxr_here("init", "mine", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    project = tmp_path / "mine"
    assert {path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file()} == {
        *("conf/data/mine.yaml", "conf/experiment/mine.yaml", "README.md", ".gitignore")
    }
    (project / "images").symlink_to(phantoms)
    always = {"CXR_CONFIG": str(project / "conf")}
    assert "Yours, in" in cxr_here("--help", folder=project, **always).stdout
    for arguments in (["data", "check", "data=mine"], ["--cfg", "job", "experiment=mine"]):
        done = cxr_here(*arguments, folder=project, **always)
        assert done.returncode == 0, done.stderr
    done = cxr_here("--config-dir", "conf", "data", "check", "data=mine", folder=project)
    assert done.returncode == 0, done.stderr
    assert "data=mine is not an option" in cxr_here("data", "check", "data=mine", folder=project).stderr


def test_every_preset_is_planned_on_own_classes_once_the_positive_class_is_named(
    tmp_path: Path, own_classes: Path, cxr_here: Command
) -> None:
    assert cxr_here("init", "mine", folder=tmp_path).returncode == 0
    project = tmp_path / "mine"
    (project / "images").symlink_to(own_classes)
    always = {"CXR_CONFIG": str(project / "conf"), "KERAS_HOME": str(tmp_path)}
    asked = cxr_here("plan", "experiment=high_sensitivity", "data=mine", folder=project, **always)
    assert asked.returncode == 2
    assert asked.stderr.splitlines()[-1] == (
        "cxr: loss.costs names the positive class, and no name of a class tells which: add evaluation.urgent=CLASS "
        "(choose from: Effusion, No Finding, Old TB)"
    )
    done = cxr_here("plan", "experiment=mine", folder=project, **always)  # which has no costs
    assert done.returncode == 0, done.stderr
    own = project / "conf/data/mine.yaml"
    own.write_text(own.read_text().replace("urgent: null", "urgent: Old TB"))
    presets = sorted(path.stem for path in (CONF_DIR / "experiment").glob("*.yaml"))
    done = cxr_here("plan", "-m", f"experiment={','.join(['mine', *presets])}", "data=mine", folder=project, **always)
    assert done.returncode == 0, done.stderr
    assert "Old TB is the positive class, No Finding is the normal class" in done.stdout
    assert f"{len(presets) + 1} jobs, 0 of them finished" in done.stdout


def test_folder_that_is_not_empty_is_left_alone(tmp_path: Path, cxr_here: Command) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    done = cxr_here("init", ".", folder=tmp_path)
    assert done.returncode == 2
    assert "is there and not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_own_options_that_can_not_be_used_are_refused(tmp_path: Path, cxr_here: Command) -> None:
    (tmp_path / "conf/loss").mkdir(parents=True)
    (tmp_path / "conf/loss/focal.yaml").write_text("name: focal\n")
    (tmp_path / "odd/losss").mkdir(parents=True)
    for folder, answer in (
        ("conf", "focal.yaml has the name of an option of cxr"),
        ("odd", "losss is not a group of options: did you mean loss?"),
        ("nowhere", "not a folder"),
    ):
        done = cxr_here("--config-dir", folder, "--help", folder=tmp_path)
        assert done.returncode == 2
        assert answer in done.stderr
    assert "--config-dir needs a folder" in cxr_here("--config-dir", folder=tmp_path).stderr
