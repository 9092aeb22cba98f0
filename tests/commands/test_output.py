"""Outputs that can't be written: one line, before the work, and nothing is left."""

from pathlib import Path

import pytest

from cxr.commands.output import check_files, check_folders
from cxr.errors import UserError
from tests.conftest import Command

LONG = "x" * 300
FILES = {
    "nowhere/x": "nowhere does not exist",
    "file/x": "file is a file",
    "folder": "it is a folder",
    "/proc/x": "",
    LONG: "File name too long",
}
FOLDERS = {"file": "file is a file", "file/x": "file is a file", "/proc/x": "", LONG: "File name too long"}
# Commands, whose output is named last. They need no run: the output is looked at first.
TO_FILES = ("data index data=phantom --to", "folds --csv", "compare --csv", "compare --html", "results --html", "results --csv")
TO_FOLDERS = ("init", "export then --to", "data fetch --to", "predict then file --to", "predict then file --heatmaps")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a file and a folder, in which the test is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_file_that_can_not_be_written_is_refused(name: str, folder: Path) -> None:
    with pytest.raises(UserError, match=f"can't be written .*{FILES[name]}.*: name another file"):
        check_files(None, Path(name))
    assert sorted(path.name for path in folder.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("name", FOLDERS)
def test_folder_that_can_not_be_made_is_refused(name: str, folder: Path) -> None:
    with pytest.raises(UserError, match=f"can't be written .*{FOLDERS[name]}.*: name another folder"):
        check_folders(None, Path(name))
    assert sorted(path.name for path in folder.iterdir()) == ["file", "folder"]


def test_check_of_outputs_leaves_no_trace(folder: Path) -> None:
    check_files(Path("new.csv"), Path("file"), folder / "folder/x")
    check_folders(Path("new/deep"), Path("folder"))
    assert [path for path in folder.rglob("*") if path.name not in ("file", "folder")] == []


@pytest.mark.parametrize("command", [*TO_FILES, *TO_FOLDERS])
def test_every_command_refuses_before_the_work(command: str, folder: Path, cxr_here: Command) -> None:
    done = cxr_here(*command.split(), "file/x", folder=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("cxr: file/x can't be written (")
    assert "file is a file): name another f" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert sorted(path.name for path in folder.iterdir()) == ["file", "folder"]


def test_home_folder_is_expanded_in_arguments_of_commands(folder: Path, cxr_here: Command) -> None:
    done = cxr_here("init", "~/project", folder=folder, HOME=str(folder))
    assert done.returncode == 0, done.stderr
    assert (folder / "project/conf").is_dir()
