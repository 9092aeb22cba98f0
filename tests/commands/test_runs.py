"""`cxr runs`: which runs are listed, in which order."""

import pytest

from cxr.commands.runs import main
from cxr.errors import UserError
from tests.logged_runs import MakeRun


def listed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> list[str]:
    main([*arguments, "--names"])
    return [line for line in capsys.readouterr().out.splitlines() if not set(line) <= set("0123456789abcdef")]


def test_newest_first_and_words_filter(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    make_run("base", role="baseline")
    make_run("with focal loss", loss="focal")
    make_run("plain one")
    assert listed([], capsys) == ["plain one", "with focal loss", "base"]
    assert listed(["focal"], capsys) == ["with focal loss"]
    assert listed(["baseline"], capsys) == ["base"]
    assert listed(["candidate", "plain"], capsys) == ["plain one"]
    assert listed(["--filter", "params.`loss.name` = 'focal'"], capsys) == ["with focal loss"]


def test_table_lists_runs_and_counts_the_others(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run("base", role="baseline")
    make_run("other")
    main(["--most", "1"])
    output = capsys.readouterr().out
    assert "other" in output
    assert "base" not in output
    assert "The newest 1 of 2 runs: cxr runs --most 0 lists all" in output
    main(["base"])
    assert run.short_id in capsys.readouterr().out
    with pytest.raises(UserError, match="no run matches"):
        main(["nothing like this"])
    with pytest.raises(UserError, match="--most -1 lists nothing"):
        main(["--most", "-1"])
