"""A run that a stranger made: nothing of it is executed, no secret is read, nothing outside is touched."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cxr.commands.reproduce import main
from cxr.errors import Mistake
from cxr.reproduction.logged import Restored, read_logged, restore
from cxr.tracking.search import LoggedRun
from tests.reproduction.conftest import LogRun, leave_out, say, say_overrides

SECRET = "the-secret-of-this-machine"
YAML = ("config/config.yaml", "config/overrides.yaml", "config/choices.yaml")
INTERPOLATIONS = ("${oc.env:A_SECRET}", "a ${oc.env:A_SECRET} b", "${tracking.uri}", "${hydra:runtime.cwd}")


@pytest.fixture
def trap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A shell command that would leave a mark; the test fails where it did."""
    mark = tmp_path / "mark"
    monkeypatch.setenv("A_SECRET", SECRET)
    yield f"touch {mark}"
    assert not mark.exists(), "it was executed"


def restored(run: LoggedRun) -> Restored:
    return restore(read_logged(run), [])


@pytest.mark.parametrize("name", YAML)
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
    run.file(name).write_text(text.replace("{trap}", trap))
    with pytest.raises(Mistake):
        restored(run)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config/config.yaml", ""),
        ("config/config.yaml", "5"),
        ("config/config.yaml", "- ["),
        ("config/config.yaml", "- freeze"),
        ("config/config.yaml", "data: &a [*a]"),
        ("config/config.yaml", "{data: &a {phantom: *a}}"),
        ("config/overrides.yaml", "freeze: head"),
        ("config/overrides.yaml", "&a [*a]"),
        ("config/choices.yaml", "- freeze"),
        ("config/choices.yaml", "{freeze: &a {head: *a}}"),
    ],
)
def test_yaml_that_is_no_config_is_refused(name: str, text: str, run: LoggedRun) -> None:
    run.file(name).write_text(text)
    with pytest.raises(Mistake):
        restored(run)


@pytest.mark.parametrize("value", INTERPOLATIONS)
@pytest.mark.parametrize("key", ["data.name", "data.root", "data.classes", "tracking.experiment"])
def test_interpolations_in_a_config_are_refused_and_not_resolved(key: str, value: str, trap: str, run: LoggedRun) -> None:
    path = run.file("config/config.yaml")
    group, _, leaf = key.partition(".")
    said = json.dumps([value, "B"] if leaf == "classes" else value)
    leave_out(run, key)
    path.write_text(path.read_text().replace(f"{group}:\n", f"{group}:\n  {leaf}: {said}\n"))
    with pytest.raises(Mistake) as told:
        restored(run)
    assert SECRET not in str(told.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("_target_", "os.system"),
        ("optimizer._target_", "os.system"),
        ("optimizer", {"_target_": "os.system", "_args_": ["{trap}"]}),
        ("data.phantom._target_", "os.system"),
        ("optimizer.name", {"_target_": "os.system", "_args_": ["{trap}"]}),
        ("loss.costs", {"_target_": "os.system"}),
        ("hydra", {"callbacks": {"x": {"_target_": "os.system"}}}),
        ("defaults", ["/etc/passwd"]),
    ],
)
def test_targets_in_a_config_are_refused(key: str, value: object, trap: str, run: LoggedRun) -> None:
    say(run, key, json.loads(json.dumps(value).replace("{trap}", trap)))
    with pytest.raises(Mistake):
        restored(run)


def test_a_target_among_free_names_stays_a_name(trap: str, run: LoggedRun) -> None:
    say(run, "loss.costs", {"_target_": {"os.system": 1}})
    assert restored(run).config.loss.costs == {"_target_": {"os.system": 1}}
    with pytest.raises(Mistake, match="no class _target_"):
        main([run.id, "--dry"])


OVERRIDES = [
    "hydra.callbacks.x._target_=os.system",
    "+hydra.callbacks.x._target_=os.system",
    "++hydra.callbacks.x={_target_:os.system,_args_:['{trap}']}",
    "+hydra/callbacks=evil",
    "hydra/launcher=joblib",
    "hydra/sweeper=optuna",
    "hydra.sweeper.params={freeze:'choice(head,half)'}",
    "hydra.searchpath=[file://{folder}]",
    "hydra.run.dir={folder}/out",
    "hydra.job.env_set={PATH:{folder}}",
    "hparams_search={search}",
    "--config-dir={folder}",
    "--config-dir",
    "-m",
    "+_target_=os.system",
    "+loss@hydra.callbacks=plain",
    "+freeze@hydra.callbacks.x=head",
    "experiment@_global_=frozen_head_baseline",
    "experiment={away}/evil",
    "data={away}/evil",
    "loss=[plain,{away}/evil]",
    "tracking={away}/evil",
    "split.name=${oc.env:A_SECRET}",
    "split.name='${oc.env:A_SECRET}'",
    r"split.name=$\{oc.env:A_SECRET\}",
    r"split.name=a$\{oc.env:A_SECRET\}",
    "tracking.uri=http://stranger.example",
    "data.root=/",
    "freeze=head\nhydra.callbacks.x._target_=os.system",
    "'; {trap}; '",
]


@pytest.mark.parametrize("override", OVERRIDES)
def test_hostile_overrides_change_nothing(override: str, trap: str, run: LoggedRun, tmp_path: Path) -> None:
    evil = "# @package _global_\nsplit: {name: '${oc.env:A_SECRET}'}\nhydra: {callbacks: {x: {_target_: os.system}}}\n"
    (tmp_path / "evil.yaml").write_text(evil)
    away = "../" * 20 + str(tmp_path).lstrip("/")
    leave_out(run, "split.name")  # so that today's composition says what it is
    expected = restored(run).config
    for name, text in {"trap": trap, "folder": str(tmp_path), "away": away, "search": "macro_auc"}.items():
        override = override.replace(f"{{{name}}}", text)
    say_overrides(run, "data.phantom.count=30", "freeze=top_block", "training.seed=3", override)
    again = restored(run)
    assert again.config == expected
    assert SECRET not in str(again)
    assert not (tmp_path / "out").exists()


def test_an_override_that_is_left_out_is_noted(run: LoggedRun) -> None:
    odd = ("+hydra.callbacks.x._target_=os.system", "hydra.searchpath=[file:///elsewhere]", "--config-dir=elsewhere")
    say_overrides(run, *odd)
    notes = restored(run).notes
    assert [override for override in odd if not any(override in note for note in notes)] == []


def test_phantoms_are_not_drawn_where_a_stranger_says(run: LoggedRun, tmp_path: Path) -> None:
    say(run, "data.root", str(tmp_path / "elsewhere"))
    assert main([run.id, "--dry"]) == 0
    assert not (tmp_path / "elsewhere").exists()


MANIFESTS = {
    "a path out of the folder": "{row}\n../../secret.png,COVID,,x,x,96,96,train",
    "an absolute path": "{row}\n/etc/passwd,COVID,,x,x,96,96,train",
    "an image twice": "{row}\n{row}",
    "an image of another class": "{covid},Normal,,x,x,96,96,train",
    "an image of no part": "{covid},COVID,,x,x,96,96,nowhere",
    "nothing": "",
}


@pytest.mark.parametrize("rows", MANIFESTS.values(), ids=MANIFESTS)
def test_a_manifest_that_can_not_be_is_refused(rows: str, run: LoggedRun) -> None:
    path = run.file("data/manifest.csv")
    lines = path.read_text().splitlines()
    (row,) = (line for line in lines if line.startswith("COVID/images/COVID-1.png"))
    rows = rows.replace("{row}", row).replace("{covid}", row.partition(",")[0])
    path.write_text("\n".join([*(line for line in lines if line != row), rows, ""] if rows else [lines[0], ""]))
    with pytest.raises(Mistake):
        main([run.id, "--dry"])


FILES = {
    "a manifest of other columns": ("data/manifest.csv", b"a,b\n1,2\n"),
    "an empty manifest": ("data/manifest.csv", b""),
    "a manifest that is no text": ("data/manifest.csv", b"\xff\xfe\x00"),
    "packages of no version": ("environment/packages.txt", b"numpy\n"),
    "a machine that is no mapping": ("environment/machine.json", b"[]"),
    "a machine that is no JSON": ("environment/machine.json", b"{"),
    "threads that are no number": ("environment/machine.json", b'{"threads": "many"}'),
    "too many threads": ("environment/machine.json", b'{"threads": 1000000}'),
    "GPUs that are no list": ("environment/machine.json", b'{"threads": 2, "gpus": 5}'),
    "changes that are no text": ("environment/uncommitted.diff", b"\xff\xfe\x00"),
    "results that are no JSON": ("evaluation/metrics.json", b"{"),
    "results that are no mapping": ("evaluation/metrics.json", b"[]"),
    "results without classes": ("evaluation/metrics.json", b'{"test": {}, "val": {}}'),
    "predictions of other columns": ("predictions/test.csv", b"a,b\n1,2\n"),
    "predictions of other classes": ("predictions/test.csv", b"id,label,p_covid,p_normal,p_viral_pneumonia\na,Cat,1,0,0\n"),
}


@pytest.mark.parametrize(("name", "content"), FILES.values(), ids=FILES)
def test_a_file_that_can_not_be_is_a_mistake(name: str, content: bytes, run: LoggedRun) -> None:
    (run.file("config/config.yaml").parents[1] / name).write_bytes(content)
    with pytest.raises(Mistake):
        main([run.id, "--dry"])


def test_results_of_parts_that_do_not_exist_are_refused_before_anything_is_trained(run: LoggedRun) -> None:
    path = run.file("evaluation/metrics.json")
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "../../../elsewhere": document["test"]}))
    with pytest.raises(Mistake):
        main([run.id, "--dry"])


def test_a_commit_that_is_an_option_never_reaches_git(log_run: LogRun, trap: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cxr.reproduction.worktree._git", lambda *arguments, **options: pytest.fail(f"git {arguments}"))
    run, _ = log_run(tags={"cxr.git_commit": f"--upload-pack={trap}"})
    with pytest.raises(Mistake, match="commit"):
        main([run.id, "--in-worktree"])


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
    assert main([run.name, "--dry"]) == 0
    assert restored(run).config.tracking.run_name == f"{odd}-again"
    assert sorted(Path.cwd().rglob("*")) == before
