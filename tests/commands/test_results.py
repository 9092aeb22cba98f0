"""`cxr results`: printed and written tables, and mistakes."""

from pathlib import Path

import pandas as pd
import pytest

from cxr.commands.results import main
from cxr.errors import UserError
from tests.logged_runs import MakeRun

TAGS = {"cxr.positive_class": "covid", "cxr.evaluated_images": "90"}


def test_presets_are_shown_and_written(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    make_run("base", preset="frozen_head_baseline", tags=TAGS)
    make_run("better", 2.0, preset="fine_tuned", tags=TAGS)
    assert main(["--csv", "r.csv", "--markdown", "r.md", "--html", "r.html"]) == 0
    output = capsys.readouterr().out
    assert output.index("frozen_head_baseline") < output.index("fine_tuned")
    assert "lungs_first, full are missing" in output.replace("\n", " ")
    assert list(pd.read_csv("r.csv")["name"]) == ["frozen_head_baseline", "fine_tuned"]
    page = Path("r.html").read_text()
    assert "The upper half of the backbone learns too" in page
    assert "http" not in page.replace("http://www.w3.org", "")  # works offline


def test_named_runs_are_shown_in_place_of_presets(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    make_run("mine", tags=TAGS)
    make_run("base", preset="frozen_head_baseline", role="baseline", tags=TAGS)
    main(["mine", "base"])
    output = capsys.readouterr().out
    assert "Differences are from base" in output
    assert "missing" not in output


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["--external", "nowhere"], "--external names nowhere, which is no folder"),
        (["--presets", "fats"], "there is no preset fats: did you mean fast"),
        (["--csv", "nowhere/r.csv"], "nowhere"),
        (["--sweep", "none-of-mine"], "none of these runs has finished"),
    ],
)
def test_mistake_is_refused(arguments: list[str], answer: str, make_run: MakeRun) -> None:
    make_run("run")
    with pytest.raises(UserError, match=answer):
        main(arguments)
