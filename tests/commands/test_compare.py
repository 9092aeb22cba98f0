"""`cxr compare`: the chosen runs, the reference, the printed result; without TensorFlow."""

import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from cxr.commands.compare import main
from cxr.errors import UserError
from tests.logged_runs import MakeRun


@pytest.fixture
def three(make_run: MakeRun) -> MakeRun:
    """A baseline, a good run and a bad one."""
    make_run("base", skill=1, role="baseline")
    make_run("bad", skill=0.5, seed=2, loss="focal")
    make_run("good", skill=4, seed=3)
    return make_run


def test_latest_run_is_compared_with_its_baseline(three: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    output = capsys.readouterr().out
    assert re.search(r"Against base \(\w{8}\), on 90 images of the test part", output)
    assert "good (" in output
    assert "bad (" not in output
    assert re.search(r"accuracy +[01]\.\d{3} +[01]\.\d{3} +\+0\.\d{3} +\+0\.\d{3} to \+0\.\d{3} +<0\.001 +Tango", output)
    assert "covid/auc" in output
    assert re.search(r"\d+ images right here and wrong there, \d+ images? the other way round", output)


def test_text_csv_and_page_agree(three: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["good", "bad", "--csv", "all.csv", "--html", "all.html", "--disagreements", "images.csv"])
    output, table, page = capsys.readouterr().out, pd.read_csv("all.csv"), Path("all.html").read_text()
    assert set(table["run"]) == {"good", "bad"}
    row = table[(table["run"] == "bad") & (table["metric"] == "accuracy")].iloc[0]
    assert f"{row['difference']:+.3f}" in output
    assert f"<td>{row['difference']:+.3f}</td>" in page
    assert (table["adjusted"].dropna() >= table["p_value"].dropna()).all()
    assert "loss.name: plain, plain, focal" in output
    assert "corrected over the 2 runs (Holm), below 0.05" in output
    assert "auc_macro_ovr (primary)" in output
    assert "auc_macro_ovr (primary)" in page
    assert 'src="data:image/svg+xml;base64,' in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    images = pd.read_csv("images.csv")
    assert len(images) > 0
    assert set(images["run"]) == {"good", "bad"}


def test_means_over_seeds_are_printed_and_on_the_page(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    for seed in (1, 2):
        make_run(f"plain-{seed}", training_seed=seed, seed=seed)
        make_run(f"focal-{seed}", training_seed=seed, seed=10 + seed, loss="focal")
    main(["plain-1", "plain-2", "focal-1", "focal-2", "--reference", "plain-1", "--html", "all.html"])
    output, page = capsys.readouterr().out, Path("all.html").read_text()
    title = "against plain-1, means over seeds: 2 seeds and 2 seeds"
    assert title in output
    assert title in page
    numbers = re.search(
        r"accuracy +([01]\.\d+) +([01]\.\d+) +([+-]0\.\d+) +\S+ to \S+ +\S+ to \S+ +(\S+ to \S+)", output[output.index(title) :]
    )
    assert numbers
    assert f"<td>{numbers[3]}</td>" in page
    assert f"<td>{numbers[4]}</td>" in page


def test_reference_and_filter_choose_runs(three: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    main(["good", "--reference", "bad"])
    assert "Against bad (" in capsys.readouterr().out
    main(["--filter", "params.`loss.name` = 'focal'"])
    output = capsys.readouterr().out
    assert "bad (" in output
    assert "good (" not in output


@pytest.mark.parametrize(
    ("arguments", "answer"),
    [
        (["god"], "there is no run god: did you mean good"),
        (["--sweep", "none-such"], "no finished run matches"),
        (["good", "elsewhere"], "can't be compared with"),
        (["base"], "has nothing to be compared with"),
        (["good", "--primary", "auc"], "--primary auc is not compared for these classes"),
    ],
)
def test_mistake_is_refused(arguments: list[str], answer: str, three: MakeRun) -> None:
    three("elsewhere", split="t")
    with pytest.raises(UserError) as mistake:
        main(arguments)
    assert answer in str(mistake.value)


@pytest.mark.slow
def test_tensorflow_is_never_loaded(three: MakeRun) -> None:
    code = "import sys; from cxr.commands.compare import main; main([]); print({'tensorflow', 'keras'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
