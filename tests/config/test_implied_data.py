"""The kind of images that arguments imply."""

from pathlib import Path

import pytest

from cxr.config.implied_data import implied_data
from cxr.config.options import OWN


@pytest.mark.parametrize(
    ("arguments", "implied"),
    [
        ("data.root=x", "folder"),
        ("+data.root=x freeze=head", "folder"),
        ("-m data.root=x,y experiment=fast,fine_tuned", "folder"),
        ("data.manifest=x.csv", "manifest"),
        ("data.root=x data.manifest=x.csv", "manifest"),
        ("data.root=x data.manifest=null", "folder"),
        ("data check data.root=x --to y", "folder"),
        ("data.root=null", None),
        ("data.root=x data=radiography", None),
        ("data.root=x data=phantom", None),
        ("data.root=x data.phantom.count=60", None),
        ("data.classes=[A,B]", None),
    ],
)
def test_images_without_a_kind_are_a_folder_or_a_table(arguments: str, implied: str | None) -> None:
    assert implied_data(arguments.split()) == implied


def test_preset_of_the_users_own_may_choose_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment/mine.yaml").write_text("# @package _global_\ndefaults:\n  - override /data: radiography\n")
    monkeypatch.setenv(OWN, str(tmp_path))
    assert implied_data(["experiment=mine", "data.root=x"]) is None
    assert implied_data(["experiment=fast,mine", "data.root=x"]) is None
    assert implied_data(["experiment=fast", "data.root=x"]) == "folder"
