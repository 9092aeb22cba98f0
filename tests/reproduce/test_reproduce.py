"""`cxr reproduce`: what differs today, and the repeated run."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cxr.commands.reproduce import main
from cxr.errors import UserError
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.search import filtered_runs
from tests.conftest import Command
from tests.untrained_runs import LogRun

DEEP = ("freeze=last_block", "freeze.warmup_epochs=0", "augment=medium", "training.epochs=2")
TINY = (
    *("data.phantom.count=40", *DEEP, "training.deterministic=true"),
    *("evaluation=numbers", "audit=off", "evaluation.resamples=100"),
)


def test_a_dry_run_says_what_differs_and_makes_none(run: LoggedRun, capsys: pytest.CaptureFixture[str]) -> None:
    packages = run.file("environment/packages.txt")
    packages.write_text(re.sub("^numpy==.*$", "numpy==0.1", packages.read_text(), flags=re.M))
    before = {logged.id for logged in filtered_runs("")}
    assert main([run.short_id, "--dry"]) == 0
    assert "packages: numpy 0.1 then" in capsys.readouterr().err
    assert {logged.id for logged in filtered_runs("")} == before


@pytest.mark.parametrize("option", ["--in-worktree", "--install", "--with-diff"])
def test_removed_option_is_answered_with_the_commands(option: str, run: LoggedRun) -> None:
    with pytest.raises(UserError, match=r"no longer options: git worktree add \.\./cxr-COMMIT COMMIT, then"):
        main([run.id, option])


def test_dry_run_prints_the_commands_where_the_commit_differs(log_run: LogRun, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = log_run(tags={"cxr.git_commit": "a" * 40})
    assert main([run.id, "--dry"]) == 0
    assert f"/scripts/cxr reproduce {run.id} --from " in capsys.readouterr().err


def test_settings_may_follow_a_flag(run: LoggedRun) -> None:
    assert main([run.id, "--dry", "training.threads=1"]) == 0


def test_a_store_that_was_moved_is_read_where_it_is_now(run: LoggedRun, tmp_path: Path) -> None:
    here = Path.cwd() / "mlruns"
    here.rename(tmp_path / "mlruns")
    try:
        assert main([run.id, "--from", str(tmp_path / "mlruns"), "--dry"]) == 0
        assert not here.exists()
    finally:
        (tmp_path / "mlruns").rename(here)


def test_artifacts_that_are_gone_are_told_with_their_place(run: LoggedRun) -> None:
    gone = run.file("config/config.yaml")
    gone.unlink()
    with pytest.raises(UserError, match=r"has no config/config\.yaml") as error:
        main([run.id, "--dry"])
    assert str(gone.parents[1]) in str(error.value)


def test_a_run_again_is_the_same_to_the_bit(tmp_path: Path, small_backbone: tuple[str, ...], cxr_here: Command) -> None:
    assert cxr_here(*TINY, *small_backbone, "tracking.run_name=then", folder=tmp_path).returncode == 0
    done = cxr_here("reproduce", "then", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "identical to the bit" in done.stdout
    with closing(sqlite3.connect(tmp_path / "mlruns/mlflow.db")) as store:
        then, again = store.execute("select run_uuid, status from runs order by start_time").fetchall()
        reproduces = store.execute("select run_uuid, value from tags where key = 'cxr.reproduces'").fetchall()
    assert reproduces == [(again[0], then[0])]
    assert again[1] == "FINISHED"
