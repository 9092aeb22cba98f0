"""The files to answer: each once, in one order, without the output of a batch."""

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
    files, unreadable = find_files([str(folder / path) if path != "-" else path for path in paths], own, lines)
    assert not unreadable
    return [os.path.relpath(file, folder) for file in files]


def test_folder_gives_files_below_it_sorted_without_hidden_ones_and_own_output(tmp_path: Path) -> None:
    touch(tmp_path, "b/2.png", "b/10.png", "a/x.dcm", "a/notes.txt", "IM0001", ".DS_Store", ".git/config", "b/._2.png")
    touch(tmp_path, "predictions/predictions.csv", "heat/1.png")
    files = below(tmp_path, "", own=(tmp_path / "predictions", tmp_path / "x/../heat"))
    assert files == ["IM0001", "a/notes.txt", "a/x.dcm", "b/10.png", "b/2.png"]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    touch(tmp_path, "in/1.png", "far/2.png")
    (tmp_path / "in/loop").symlink_to(tmp_path / "in")
    (tmp_path / "in/far").symlink_to(tmp_path / "far")
    (tmp_path / "in/twice").symlink_to(tmp_path / "far")
    assert below(tmp_path, "in") == ["in/1.png", "in/far/2.png"]


def test_file_that_is_named_twice_comes_once(tmp_path: Path) -> None:
    touch(tmp_path, "a/1.png", "a/2.png")
    assert below(tmp_path, "a/2.png", "a") == ["a/2.png", "a/1.png"]


def test_manifest_names_files_relative_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("path,label\n1.png,COVID\nsub/2.png,\n,\n")
    assert below(tmp_path, "images.csv") == ["1.png", "sub/2.png"]
    touch(tmp_path, "sub/3.png")
    (tmp_path / "images.tsv").write_text("Patient\tImage Index\n7\t3.png\n")
    assert below(tmp_path, "images.tsv") == ["sub/3.png"]
    (tmp_path / "ages.csv").write_text("age\n41\n")
    with pytest.raises(UserError, match=r"ages\.csv has no column, or several, that may name files .*--column, of age$"):
        below(tmp_path, "ages.csv")


def test_column_of_files_is_chosen(tmp_path: Path) -> None:
    (tmp_path / "two.csv").write_text("front,side\n1.png,2.png\n")
    touch(tmp_path, "1.png", "2.png")
    with pytest.raises(UserError, match=r"--column, of front, side$"):
        below(tmp_path, "two.csv")
    files, _ = find_files([str(tmp_path / "two.csv")], (), (), "side")
    assert files == [str(tmp_path / "2.png")]
    with pytest.raises(UserError, match=r"two\.csv has no column sid: did you mean side"):
        find_files([str(tmp_path / "two.csv")], (), (), "sid")


def test_standard_input_lists_files(tmp_path: Path) -> None:
    names = (f"{tmp_path}/1.png\n", "\n", f"{tmp_path}/not there.png\r\n")
    assert below(tmp_path, "-", lines=names) == ["1.png", "not there.png"]


def test_missing_path_or_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file or folder .*/gone"):
        below(tmp_path, "gone")
    with pytest.raises(UserError, match="there is no file in "):
        below(tmp_path, "")


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may read everything")
def test_unreadable_folder_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "1.png", "closed/2.png")
    (tmp_path / "closed").chmod(0)
    files, unreadable = find_files([str(tmp_path)], (), ())
    (tmp_path / "closed").chmod(0o700)
    assert [answer.reason for answer in unreadable] == ["the folder can't be read: Permission denied"]
    assert len(files) == 1
