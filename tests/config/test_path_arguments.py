"""Paths among the arguments: whatever a file is called, it is the file that a run gets."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from cxr.config.compose import compose, typed
from cxr.config.path_arguments import PATHS, with_paths
from cxr.errors import UserError
from cxr.text import in_shell

NAMES = [
    *("a b", "archive (1)", "Röntgen", "a=b", "a,b", "#1", "it's", '"best"', "$HOME", "{x}", "[x]", "%20", "a:b", "*", "?", "end "),
    *("-m", " x", "null", "true", "1e3", "🫁", "back\\slash", "a\\", "a!", "a&b", "a;b", "a|b", "<a>", "a@b", "+1", "~x", "007"),
    *("${data.name}", "a\\'b", "choice(a,b)", "[a,b]", "none", "imagenet", "a\tb", "a\nb", "'a b'", "`id`", "x" * 255),
]
ONE_NAME = st.text(
    st.one_of(st.sampled_from("\\${}'\"(),=[]~ #a"), st.characters(exclude_characters="\0/", exclude_categories=["Cs"])), min_size=1
).filter(lambda name: name not in (".", "..") and len(name.encode()) < 256)


def read(argument: str, multirun: bool) -> list[object]:
    """The values of the jobs that Hydra makes of an argument."""
    parser = OverridesParser.create()
    (made,) = with_paths([argument], multirun)
    (jobs,) = BasicSweeper.split_arguments(parser.parse_overrides([made]), None) if multirun else [[[made]]]
    return [OmegaConf.create({"value": parser.parse_override(job[0]).value()}).value for job in jobs]


def test_keys_are_those_of_the_schema() -> None:
    assert {"data.root", "data.manifest", "data.masks", "backbone.file", "backbone.weights", "work.dir"} == PATHS


@pytest.mark.parametrize("multirun", [False, True])
@pytest.mark.parametrize("key", ["data.root", "data.manifest", "backbone.weights"])
@pytest.mark.parametrize("name", NAMES)
def test_path_that_exists_is_taken_as_it_is(name: str, key: str, multirun: bool, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    assert read(f"{key}={tmp_path / name}", multirun) == [str(tmp_path / name)]


@pytest.mark.parametrize("name", sorted({*NAMES} - {"null", "~x", "-m"}))
def test_relative_path_that_exists_is_taken_as_it_is(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    assert read(f"data.root={name}", False) == read(f"+data.root={name}", True) == [name]


@given(ONE_NAME)
def test_any_name_comes_back(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    path = tmp_path_factory.getbasetemp() / "names" / name
    path.mkdir(parents=True, exist_ok=True)
    assert read(f"data.root={path}", False) == read(f"data.root={path}", True) == [str(path)]


@pytest.mark.parametrize("multirun", [False, True])
def test_composed_config_has_the_path(multirun: bool, tmp_path: Path) -> None:
    path = tmp_path / "archive (1), ${x} ä = # ' \" \\"
    path.mkdir()
    assert typed(compose(["data=folder", *with_paths([f"data.root={path}"], multirun)])[0]).data.root == str(path)


def test_home_folder_is_expanded_and_an_unknown_one_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "my home"))
    monkeypatch.chdir(tmp_path)
    assert read("data.root=~/x (1)", False) == [f"{tmp_path}/my home/x (1)"]
    assert read("data.root=~/a,b,~", True) == [f"{tmp_path}/my home/a", "b", f"{tmp_path}/my home"]
    assert read("data.root=~nobody-has-this-name/x", False) == ["~nobody-has-this-name/x"]
    (tmp_path / "~x").touch()
    assert read("data.root=~x", False) == [str(tmp_path / "~x")]


@pytest.mark.parametrize("value", ["'a b'", '"a b"', "null", "", "plain/x.csv", "${oc.env:IMAGES}/x", r"a\ b"])
def test_values_that_hydra_reads_are_left_to_it(value: str) -> None:
    assert with_paths([f"data.root={value}", "freeze=head", "-m"], multirun=False) == [f"data.root={value}", "freeze=head", "-m"]


def test_path_that_does_not_exist_keeps_its_name() -> None:
    assert read("data.root=no (1) such, folder", False) == ["no (1) such, folder"]
    assert read("data.root=1e3", False) == ["1e3"]


def test_list_is_cut_at_commas_unless_the_whole_exists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a (1)", "b=2"):
        (tmp_path / name).touch()
    assert read("data.root=a (1),b=2,'c,d'", True) == ["a (1)", "b=2", "c,d"]
    assert read("data.root=choice(a,b)", True) == ["a", "b"]
    (tmp_path / "x,y").touch()
    assert read("data.root=x,y", True) == ["x,y"]


def test_quoted_form_in_a_message_is_what_the_shell_and_hydra_read() -> None:
    given_name = "what's new (2)"
    with pytest.raises(UserError, match="needs quotes: ") as error:
        compose([f"tracking.run_name={given_name}"])
    (argument,) = shlex.split(str(error.value).partition("needs quotes: ")[2])
    assert typed(compose([argument])[0]).tracking.run_name == given_name


@pytest.mark.parametrize("name", [name for name in NAMES if "\n" not in name])
def test_printed_command_can_be_pasted(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    command = in_shell("printf", "%s", f"data.root={tmp_path / name}")
    pasted = subprocess.run(["bash", "-c", command], capture_output=True, check=True).stdout
    assert read(os.fsdecode(pasted), False) == [str(tmp_path / name)]
