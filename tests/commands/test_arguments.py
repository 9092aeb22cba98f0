"""Arguments: no command writes its output among the runs, and choices are those that there are."""

from pathlib import Path

import pytest

from cxr.commands.arguments import PARSERS, parse
from cxr.errors import UserError
from cxr.predict.model import POINTS
from cxr.text import as_called

OUTPUTS = [
    ("export", ("then", "--to")),
    *(("predict", ("then", "film.png", option)) for option in ("--to", "--heatmaps", "--html", "--dicom-sr", "--log")),
    ("data", ("index", "--to")),
    *(("compare", ("then", "now", option)) for option in ("--csv", "--disagreements", "--html")),
    *(("folds", (option,)) for option in ("--predictions", "--csv")),
    *(("results", (option,)) for option in ("--markdown", "--csv", "--html")),
    ("init", ()),
]


@pytest.mark.parametrize("where", ["mlruns", "mlruns/artifacts/x", "there/../mlruns/x", "linked/x", "absolute"])
@pytest.mark.parametrize(("command", "arguments"), OUTPUTS)
def test_output_among_the_runs_is_refused(
    command: str, arguments: tuple[str, ...], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "linked").symlink_to(tmp_path / "mlruns")
    where = str(tmp_path / "mlruns/x") if where == "absolute" else where
    with pytest.raises(UserError, match="which keeps runs and what is under way: name a place outside it"):
        parse(command, [*arguments, where])
    parse(command, [*arguments, "mlruns-of-mine/x"])
    assert not (tmp_path / "mlruns").exists()


def test_missing_argument_is_named_without_those_that_may_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("audit", [])
    assert capsys.readouterr().err.endswith("the following arguments are required: RUN\n")


def test_predict_offers_every_operating_point() -> None:
    """The parser can't import them: it has to answer before NumPy is there."""
    choices = next(action.choices for action in PARSERS["predict"]._actions if action.dest == "point")
    assert list(choices or ()) == list(POINTS)


@pytest.mark.parametrize("command", PARSERS)
def test_hint_names_every_command_as_it_was_called(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXR_COMMAND", "scripts/cxr")
    assert as_called(f"  see  cxr {command} --help") == f"  see  scripts/cxr {command} --help"
