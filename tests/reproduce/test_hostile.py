"""An untrusted run: nothing in it is executed, no secret is read, and no other file is touched."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cxr.commands.reproduce import main
from cxr.config.schema import Config
from cxr.errors import UserError
from cxr.run.identity.logged import Restored, read_logged, restore
from cxr.tracking.logged_run import LoggedRun
from tests.untrained_runs import LogRun, leave_out, say, say_overrides

SECRET = "the-secret-of-this-machine"


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A shell command that would leave a mark; the test fails where it did."""
    mark = tmp_path / "mark"
    monkeypatch.setenv("A_SECRET", SECRET)
    yield f"touch {mark}"
    assert not mark.exists(), "it was executed"


@pytest.fixture(scope="module")
def expected(untouched: LoggedRun) -> Config:
    """What comes of the run where nothing is hostile."""
    return restored(untouched).config


def restored(run: LoggedRun) -> Restored:
    return restore(read_logged(run), [])


@pytest.mark.parametrize("name", ["config", "overrides", "choices"])
@pytest.mark.parametrize(
    "text",
    [
        '!!python/object/apply:os.system ["{trap}"]',
        'freeze: !!python/object/apply:os.system ["{trap}"]',
        '- !!python/object/new:os.system ["{trap}"]',
        "freeze: !!python/name:os.system",
    ],
)
def test_yaml_that_asks_for_python_is_refused(name: str, text: str, trap: str, run: LoggedRun) -> None:
    run.file(f"config/{name}.yaml").write_text(text.replace("{trap}", trap))
    with pytest.raises(UserError):
        read_logged(run)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config", ""),
        ("config", "5"),
        ("config", "- ["),
        ("config", "- freeze"),
        ("config", "{data: &a {phantom: *a}}"),
        ("overrides", "freeze: head"),
        ("overrides", "&a [*a]"),
        ("choices", "- freeze"),
    ],
)
def test_yaml_that_is_no_config_is_refused(name: str, text: str, run: LoggedRun) -> None:
    run.file(f"config/{name}.yaml").write_text(text)
    with pytest.raises(UserError):
        restored(run)


def test_interpolations_in_a_config_are_refused_and_not_resolved(trap: str, run: LoggedRun) -> None:
    hostile = {
        "data.name": "${oc.env:A_SECRET}",
        "data.root": "in ${oc.env:A_SECRET}",
        "data.classes": ["${oc.env:A_SECRET}", "B"],
        "split.name": "${tracking.experiment}",
        "tracking.experiment": "${hydra:runtime.cwd}",
    }
    for key, value in hostile.items():
        say(run, key, value)
    assert "${oc.env:A_SECRET}" in run.file("config/config.yaml").read_text()
    with pytest.raises(UserError) as error:
        restored(run)
    assert [key for key in hostile if key not in str(error.value)] == []
    assert SECRET not in str(error.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("_target_", "os.system"),
        ("optimizer", {"_target_": "os.system", "_args_": ["{trap}"]}),
        ("optimizer.name", {"_target_": "os.system", "_args_": ["{trap}"]}),
        ("data.phantom._target_", "os.system"),
        ("loss.costs", {"_target_": "os.system"}),
        ("hydra", {"callbacks": {"x": {"_target_": "os.system", "_args_": ["{trap}"]}}}),
    ],
)
def test_targets_in_a_config_are_refused(key: str, value: object, trap: str, run: LoggedRun) -> None:
    say(run, key, json.loads(json.dumps(value).replace("{trap}", trap)))
    with pytest.raises(UserError):
        restored(run)


def test_a_target_among_free_names_stays_a_name(trap: str, run: LoggedRun) -> None:
    say(run, "loss.costs", {"_target_": {"os.system": 1}})
    assert restored(run).config.loss.costs == {"_target_": {"os.system": 1}}


def test_overrides_of_hydra_itself_are_left_out_with_a_note(trap: str, run: LoggedRun, expected: Config, tmp_path: Path) -> None:
    hostile = [
        "hydra.callbacks.x._target_=os.system",
        f"++hydra.callbacks.x={{_target_:os.system,_args_:['{trap}']}}",
        "+hydra/callbacks=evil",
        "hydra/launcher=joblib",
        "hydra.sweeper.params={freeze:'choice(head,half)'}",
        f"hydra.searchpath=[file://{tmp_path}]",
        f"hydra.run.dir={tmp_path}/out",
        f"hydra.job.env_set={{PATH:{tmp_path}}}",
        f"--config-dir={tmp_path}",
        "-m",
        "+_target_=os.system",
        f"'; {trap}; '",
        "",
    ]
    say_overrides(run, "data.phantom.count=30", "freeze=last_block", "training.seed=3", *hostile)
    again = restored(run)
    assert again.config == expected
    assert [override for override in hostile if not any(override in note for note in again.notes)] == []
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "override",
    [
        "experiment={away}/evil",
        "loss=[plain,{away}/evil]",
        "split.name=${oc.env:A_SECRET}",
        r"split.name=$\{oc.env:A_SECRET\}",
        r"split.name=a$\{oc.env:A_SECRET\}",
        "+loss@hydra.callbacks=plain",
        "experiment@_global_=frozen_head_baseline",
        "tracking.uri=http://stranger.example",
        "data.root=/",
        "freeze=last_block\nhydra.callbacks.x._target_=os.system",
    ],
)
def test_hostile_overrides_change_nothing_and_read_nothing(
    override: str, trap: str, run: LoggedRun, expected: Config, tmp_path: Path
) -> None:
    evil = "# @package _global_\nsplit: {name: '${oc.env:A_SECRET}'}\nhydra: {callbacks: {x: {_target_: os.system}}}\n"
    (tmp_path / "evil.yaml").write_text(evil)
    away = "../" * 20 + str(tmp_path).lstrip("/")
    leave_out(run, "split.name")  # so that today's composition says what it is
    say_overrides(
        run, "data.phantom.count=30", "freeze=last_block", "training.seed=3", "split=three_way", override.replace("{away}", away)
    )
    again = restored(run)
    assert again.config == expected
    assert SECRET not in str(again)


def test_phantoms_are_not_drawn_where_a_stranger_says(run: LoggedRun, tmp_path: Path) -> None:
    say(run, "data.root", str(tmp_path / "elsewhere"))
    assert main([run.id, "--dry"]) == 0
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param("{row}\n../../secret.png,COVID,,x,x,96,96,train", id="a path out of the folder"),
        pytest.param("{row}\n/etc/passwd,COVID,,x,x,96,96,train", id="an absolute path"),
        pytest.param("{row}\n{row}", id="an image twice"),
        pytest.param("{path},Normal,,x,x,96,96,train", id="an image of another class"),
        pytest.param("{path},COVID,,x,x,96,96,nowhere", id="an image of no part"),
    ],
)
def test_a_manifest_that_can_not_be_is_refused(rows: str, run: LoggedRun) -> None:
    path = run.file("data/manifest.csv")
    text = path.read_text()
    (row,) = (line for line in text.splitlines() if line.startswith("COVID/images/COVID-1.png"))
    path.write_text(text.replace(row, rows.replace("{row}", row).replace("{path}", row.partition(",")[0])))
    with pytest.raises(UserError):
        main([run.id, "--dry"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("data/manifest.csv", b"", id="an empty manifest"),
        pytest.param("data/manifest.csv", b"a,b\n1,2\n", id="a manifest of other columns"),
        pytest.param("data/manifest.csv", b"\xff\xfe\x00", id="a manifest that is no text"),
        pytest.param("environment/packages.txt", b"numpy\n", id="packages of no version"),
        pytest.param("environment/machine.json", b"[]", id="a machine that is no mapping"),
        pytest.param("environment/machine.json", b"{", id="a machine that is no JSON"),
        pytest.param("environment/machine.json", b'{"threads": "many"}', id="threads that are no number"),
        pytest.param("environment/machine.json", b'{"threads": true}', id="threads that are a switch"),
        pytest.param("environment/machine.json", b'{"threads": 1000000}', id="too many threads"),
        pytest.param("environment/machine.json", b'{"threads": 2, "gpus": 5}', id="GPUs that are no list"),
        pytest.param("environment/uncommitted.diff", b"\xff\xfe\x00", id="changes that are no text"),
        pytest.param("evaluation/metrics.json", b"{", id="metrics that are no JSON"),
        pytest.param("evaluation/metrics.json", b"[]", id="metrics that are no mapping"),
        pytest.param("evaluation/metrics.json", b'{"test": {}, "val": {}}', id="metrics without classes"),
        pytest.param("predictions/test.csv", b"a,b\n1,2\n", id="predictions of other columns"),
        pytest.param("predictions/test.csv", b"id,label,p_covid,p_normal,p_viral_pneumonia\na,Cat,1,0,0\n", id="no such class"),
    ],
)
def test_a_file_that_can_not_be_is_refused(name: str, content: bytes, run: LoggedRun) -> None:
    (run.file("config/config.yaml").parents[1] / name).write_bytes(content)
    with pytest.raises(UserError):
        main([run.id, "--dry"])


def test_results_of_a_part_that_can_not_be_are_refused_before_anything_is_trained(run: LoggedRun) -> None:
    path = run.file("evaluation/metrics.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "../../../elsewhere": document["test"]}))
    with pytest.raises(UserError):
        main([run.id, "--dry"])


def test_names_and_tags_are_only_words(log_run: LogRun) -> None:
    odd = """../../x'; drop table runs; -- "`%$(touch y)\n[/bold]"""
    names = (
        "cxr.git_commit",
        "cxr.data_fingerprint",
        "cxr.split_fingerprint",
        "cxr.weights_sha256",
        "cxr.sweep_id",
        "cxr.unfinished",
    )
    run, _ = log_run(name=odd, tags=dict.fromkeys(names, odd))
    before = sorted(Path.cwd().rglob("*"))
    assert "\n" not in run.name
    assert main([run.name, "--dry"]) == 0
    assert restored(run).config.tracking.run_name == f"{run.name}-again"
    assert sorted(Path.cwd().rglob("*")) == before
