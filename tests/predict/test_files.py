"""The files that are asked about: every one once, in one order, without what is written there."""

import os
from pathlib import Path

import pytest

from cxr.errors import UserError
from cxr.predict.files import find_files


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("")


def below(folder: Path, *paths: str, own: tuple[Path, ...] = (), lines: tuple[str, ...] = ()) -> list[str]:
    found = find_files([str(folder / path) if path != "-" else path for path in paths], own, lines)
    assert not found.unreadable
    return [os.path.relpath(each, folder) for each in found.files]


def test_of_a_folder_every_file_below_it_sorted_without_hidden_ones(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.png", "b/10.png", "a/x.dcm", "a/notes.txt", "IM0001", ".DS_Store", ".git/config", "b/._2.png")
    assert below(tmp_path, "") == ["IM0001", "a/notes.txt", "a/x.dcm", "b/10.png", "b/2.png"]


def test_what_is_written_there_is_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "predictions/predictions.csv", "heat/1.png")
    assert below(tmp_path, "", own=(tmp_path / "predictions", tmp_path / "x/../heat")) == ["1.png"]


def test_loops_of_links_end_and_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "in/1.png", "far/2.png")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/far").symlink_to(tmp_path / "far")
    (tmp_path / "in/twice").symlink_to(tmp_path / "far")
    assert below(tmp_path, "in") == ["in/1.png", "in/far/2.png"]


def test_a_file_that_is_named_twice_is_asked_once(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/2.png")
    assert below(tmp_path, "a/2.png", "a") == ["a/2.png", "a/1.png"]


def test_a_manifest_names_files_relative_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "films.csv").write_text("path,label\n1.png,COVID\nsub/2.png,\n,\n")
    assert below(tmp_path, "films.csv") == ["1.png", "sub/2.png"]
    (tmp_path / "films.csv").write_text("file\n1.png\n")
    with pytest.raises(UserError, match=r"films\.csv has no column path: it has file"):
        below(tmp_path, "films.csv")


def test_standard_input_lists_files(tmp_path: Path) -> None:
    names = (f"{tmp_path}/1.png\n", "\n", f"{tmp_path}/not there.png\r\n")
    assert below(tmp_path, "-", lines=names) == ["1.png", "not there.png"]


def test_what_is_not_there_is_said_before_anything_begins(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file or folder .*/gone"):
        below(tmp_path, "gone")
    with pytest.raises(UserError, match="there is no file in "):
        below(tmp_path, "")


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read everything")
def test_a_folder_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "closed/2.png")
    (tmp_path / "closed").chmod(0)
    found = find_files([str(tmp_path)], (), ())
    (tmp_path / "closed").chmod(0o700)
    assert [each.reason for each in found.unreadable] == ["the folder can't be read: Permission denied"]
    assert len(found.files) == 1
