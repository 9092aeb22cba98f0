"""The table of stages: a setting, column, file or module that changes alone moves the stages that a person reviewed, no other."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import grimp
import pandas as pd
import pytest

import cxr
from cxr.config.fields import flat_params
from cxr.config.schema import Config, PhantomConfig
from cxr.stages import code
from cxr.stages.basis import Inputs, check_settings
from cxr.stages.code import modules_of, stage_of_module, syntax_of
from cxr.stages.table import CODE, ROWS, SETTINGS, File, Stage

# The first stage that a setting moves, and with it those that take its results. A new setting belongs into one of these lists.
MOVES = {
    "train": """
        backbone.name backbone.alpha backbone.image_size backbone.input_range backbone.mean backbone.std backbone.dropout
        prepare.markers prepare.borders prepare.corners prepare.histogram prepare.mask prepare.crop
        freeze.trainable_from freeze.gradual engine.name
        augment.rotation_degrees augment.translation augment.zoom augment.shear_degrees augment.brightness augment.contrast
        augment.aspect augment.gamma augment.resolution augment.noise augment.erase_corners augment.background augment.mixup
        augment.more
        loss.weighting loss.focal_gamma loss.label_smoothing loss.cost_strength loss.formula loss.group_robust
        optimizer.name optimizer.learning_rate optimizer.warmup_steps optimizer.clip_norm optimizer.schedule
        optimizer.weight_decay
        training.epochs training.batch_size training.sampling training.soup training.weight_average
        training.early_stopping_patience training.precision training.seed training.deterministic training.cache
        evaluation.batch_size
    """,
    "predict": "evaluation.views evaluation.verified_images",
    "assess": """
        evaluation.urgent evaluation.routine evaluation.sensitivity evaluation.specificity evaluation.sensitivity_margin
        evaluation.missed_cost evaluation.costs evaluation.alpha evaluation.review_routine evaluation.prevalences
        evaluation.subgroups evaluation.small_group evaluation.bins evaluation.resamples
    """,
    "audit": "audit.images audit.seen audit.changed audit.mapped",
    "report": """
        evaluation.primary evaluation.failures evaluation.saliency_images evaluation.pictures evaluation.figure_dpi
        data.citation data.licence
    """,
    # Read through the manifest that they make, or only under a condition, or of no result at all.
    "": """
        data.name data.root data.classes data.aliases data.manifest data.masks data.merge data.keep data.on_bad_image
        data.on_conflict data.source data.dicom_patients data.columns.path data.columns.label data.columns.source data.columns.group
        data.columns.split data.columns.view data.layout data.grey
        data.phantom.count data.phantom.image_size data.phantom.seed data.phantom.shortcut data.phantom.strength data.phantom.turned
        split.name split.method split.validation split.test split.folds split.fold split.source split.seed
        backbone.file backbone.weights prepare.name prepare.dilation
        freeze.name freeze.warmup_epochs freeze.batch_norm freeze.batch_norm_momentum augment.name augment.views
        loss.name loss.effective_beta loss.costs loss.more
        optimizer.backbone_rate optimizer.stage_decay optimizer.plateau_factor optimizer.plateau_patience optimizer.momentum
        training.name training.threads training.cache_limit_gb evaluation.name audit.name
        objective.name objective.metric objective.direction baseline.auto sweep.reports sweep.on_failure work.dir
        tracking.name tracking.uri tracking.offline tracking.needs_server tracking.experiment tracking.run_name tracking.role force
    """,
}
# A setting that is read under a condition alone: the condition, the setting, and what it moves then.
DEEP = {"freeze.trainable_from": "last_stage"}
CONDITIONS: list[tuple[dict[str, str], str, str]] = [
    ({"prepare.mask": "lungs"}, "prepare.dilation", "train"),
    *((DEEP, f"freeze.{name}", "train") for name in ("warmup_epochs", "batch_norm")),
    *((DEEP, f"optimizer.{name}", "train") for name in ("backbone_rate", "stage_decay")),
    ({**DEEP, "freeze.gradual": '{"head": 1}'}, "freeze.warmup_epochs", ""),
    ({**DEEP, "freeze.batch_norm": "train"}, "freeze.batch_norm_momentum", "train"),
    (DEEP, "freeze.batch_norm_momentum", ""),
    ({"freeze.batch_norm": "train"}, "freeze.batch_norm_momentum", ""),
    ({"augment.zoom": "0.1"}, "augment.views", "train"),
    ({"augment.more": '{"of_a_package": 1.0}'}, "augment.views", "train"),
    ({"loss.weighting": "effective"}, "loss.effective_beta", "train"),
    ({"loss.cost_strength": "2.0"}, "loss.costs", "train"),
    *(({"loss.formula": "of_a_package"}, f"loss.{name}", "train") for name in ("costs", "effective_beta", "more")),
    *(({"optimizer.name": name}, "optimizer.momentum", "train") for name in ("sgd", "rmsprop")),
    ({"optimizer.name": "lion"}, "optimizer.momentum", ""),
    *(({"optimizer.schedule": "plateau"}, f"optimizer.plateau_{name}", "train") for name in ("factor", "patience")),
    ({"optimizer.schedule": "cosine"}, "optimizer.plateau_patience", ""),
    ({"evaluation.costs": '{"covid": {"normal": 5}}'}, "evaluation.missed_cost", ""),
    ({"evaluation.pictures": "False"}, "evaluation.saliency_images", ""),
    ({"audit.images": "0"}, "audit.seen", ""),
]
DOWNSTREAM = {
    "train": {"train", "gate", "predict", "assess", "audit", "report"},
    "gate": {"gate", "predict", "assess", "audit", "report"},
    "predict": {"predict", "assess", "report"},
    "assess": {"assess", "report"},
    "audit": {"audit", "report"},
    "report": {"report"},
    "": set[str](),
}
COLUMNS = {
    **dict.fromkeys(("path", "label", "sha256", "split"), DOWNSTREAM["train"]),
    **dict.fromkeys(("group", "width", "height"), DOWNSTREAM["predict"] | DOWNSTREAM["audit"]),
    "source": {"assess", "audit", "report"},
    "mask": {"audit", "report"},
    **dict.fromkeys(("phash", "mode", "age"), DOWNSTREAM["report"]),
}
MANIFEST = pd.DataFrame({name: [f"{name} {row}" for row in range(3)] for name in COLUMNS})


def params(**changed: str) -> dict[str, str]:
    config = Config()
    config.data.phantom = PhantomConfig()
    return {**flat_params(config), "audit.images": "160", **changed}


def inputs(values: Mapping[str, str], manifest: pd.DataFrame = MANIFEST, masks: str = "masks", **files: str) -> Inputs:
    content = {File.WEIGHTS: "weights", File.NETWORK: "network", **{File(name): value for name, value in files.items()}}
    return Inputs(values, manifest, content, lambda: masks)


def moved(one: Inputs, other: Inputs) -> set[str]:
    """The stages whose fingerprints differ; inputs that are logged again at no cost are left out."""
    kept = [row.stage for row in ROWS if row.writes and row.stage != Stage.DECODE]
    return {stage.value for stage in kept if one.bases[stage].fingerprint != other.bases[stage].fingerprint}


def test_every_setting_is_reviewed() -> None:
    """A setting that is new to the schema has to be given to a stage, in the table and here."""
    reviewed = [key for keys in MOVES.values() for key in keys.split()]
    assert sorted([*reviewed, "data.columns.more"]) == sorted(params())
    assert {setting.key for setting in SETTINGS} == {*params(), "data.phantom"}


def test_unknown_setting_is_refused() -> None:
    check_settings(list(params()))
    with pytest.raises(KeyError, match=r"which stage reads evaluation\.new"):
        check_settings(["evaluation.new"])


@pytest.mark.parametrize(("stage", "key"), [(stage, key) for stage, keys in MOVES.items() for key in keys.split()])
def test_setting_moves_its_stage_and_those_after_it(stage: str, key: str) -> None:
    other = '["age"]' if key == "evaluation.subgroups" else "7"
    assert moved(inputs(params()), inputs(params(**{key: other}))) == DOWNSTREAM[stage]


@pytest.mark.parametrize(("condition", "key", "stage"), CONDITIONS)
def test_setting_counts_under_its_condition_alone(condition: dict[str, str], key: str, stage: str) -> None:
    assert moved(inputs(params(**condition)), inputs(params(**condition, **{key: "7"}))) == DOWNSTREAM[stage]


@pytest.mark.parametrize(
    ("condition", "name", "stages"),
    [
        *(({}, name, stages) for name, stages in COLUMNS.items()),
        ({"data.columns.more": '["age"]'}, "age", {"assess", "report"}),
        ({"evaluation.subgroups": '["age"]'}, "age", {"assess", "report"}),
        ({"evaluation.subgroups": "[]"}, "source", {"audit", "report"}),
        ({"loss.group_robust": "0.1"}, "source", DOWNSTREAM["train"]),
        ({"training.sampling": "source_balanced"}, "source", DOWNSTREAM["train"]),
    ],
)
def test_column_moves_the_stages_that_read_it(condition: dict[str, str], name: str, stages: set[str]) -> None:
    changed = MANIFEST.assign(**{name: ["another", *MANIFEST[name][1:]]})
    assert moved(inputs(params(**condition)), inputs(params(**condition), changed)) == stages


def test_order_of_rows_does_not_count() -> None:
    assert moved(inputs(params()), inputs(params(), MANIFEST[::-1])) == set()


def test_files_count_by_content() -> None:
    one, puts, crops = params(), params(**{"augment.background": "0.5"}), params(**{"prepare.crop": "lungs"})
    assert moved(inputs(one), inputs(one, weights="others")) == DOWNSTREAM["train"]
    assert moved(inputs(one), inputs(one, network="another")) == DOWNSTREAM["train"]
    assert moved(inputs(one), inputs(one, masks="others")) == DOWNSTREAM["audit"]
    assert moved(inputs(puts), inputs(puts, masks="others")) == DOWNSTREAM["train"]
    assert moved(inputs(crops), inputs(crops, lungs="another")) == DOWNSTREAM["train"]
    assert moved(inputs(one), inputs(one, lungs="another")) == DOWNSTREAM["gate"]


def test_masks_are_not_read_where_no_stage_needs_them() -> None:
    def read() -> str:
        raise AssertionError("nobody needs them")

    assert replace(inputs(params(**{"audit.images": "0"})), masks=read).bases


def test_report_without_an_audit_does_not_depend_on_it() -> None:
    without = params(**{"audit.images": "0"})
    beside = inputs(without).bases_beside("an audit")[Stage.REPORT]
    assert beside.fingerprint != inputs(without).bases[Stage.REPORT].fingerprint
    assert inputs(params()).bases_beside("an audit") == inputs(params()).bases


@pytest.mark.parametrize("stage", [stage for stage in Stage if stage != Stage.DECODE])
def test_every_module_moves_its_stage(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    before, modules = inputs(params()), dict(modules_of(stage))
    assert modules
    assert before.bases
    first = "train" if stage in (Stage.NETWORK, Stage.VIEWS, Stage.FROZEN) else stage.value
    for name in modules:
        changed = {**modules, name: "changed"}
        with monkeypatch.context() as patch:
            patch.setattr("cxr.stages.basis.modules_of", lambda of, changed=changed: changed if of == stage else modules_of(of))
            assert moved(before, inputs(params())) == DOWNSTREAM[first], name


def test_every_module_has_a_stage_or_computes_nothing() -> None:
    package = Path(cxr.__file__).parent
    for path in package.rglob("*.py"):
        stage_of_module(path.relative_to(package).as_posix())
    for place in CODE:
        assert (package / place).exists(), f"{place} of cxr/stages/table.py is gone"
    with pytest.raises(KeyError, match=r"does not say which stage new_room/new\.py computes"):
        stage_of_module("new_room/new.py")


# Rooms that the code of a stage imports, and that compute nothing for it: they find, name, check, move and show.
NO_RESULT = (
    *("cxr.errors", "cxr.progress", "cxr.system", "cxr.config", "cxr.tracking", "cxr.stages"),
    *("cxr.data.sources", "cxr.data.identity", "cxr.data.split", "cxr.data.parts", "cxr.data.manifest"),
    *("cxr.data.image_list", "cxr.data.layout", "cxr.data.tables"),
    *("cxr.run.identity.attempt", "cxr.run.identity.tags", "cxr.run.identity.remaining", "cxr.run.identity.reasons", "cxr.compare"),
)
# Imported by an earlier stage for a type, a name or a function that is no part of its result.
LATER = {
    Stage.TRAIN: {"cxr.text", "cxr.data.safe_csv", "cxr.evaluation.metrics", "cxr.evaluation.assessment"},
    Stage.GATE: {
        *("cxr.text", "cxr.data.safe_csv"),
        *(
            "cxr.evaluation.effective_size",
            "cxr.evaluation.estimates",
            "cxr.evaluation.metric_table",
            "cxr.evaluation.predictions",
            "cxr.evaluation.resampling",
        ),
        "cxr.evaluation.roc",
    },
    Stage.PREDICT: {"cxr.text"},
    Stage.ASSESS: {"cxr.evaluation.failures"},
}
ENTRIES = {
    Stage.TRAIN: ("cxr.training.fit", "cxr.training.soup", "cxr.training.heads", "cxr.model.network", "cxr.data.dataset"),
    Stage.GATE: ("cxr.training.trained_model", "cxr.audit.gate", "cxr.audit.orientation"),
    Stage.PREDICT: ("cxr.training.verify", "cxr.training.several_views"),
    Stage.ASSESS: ("cxr.evaluation.assessment", "cxr.evaluation.results"),
    Stage.AUDIT: ("cxr.audit.audit",),
}


@pytest.mark.parametrize("stage", ENTRIES)
def test_code_that_a_stage_imports_counts_for_it(stage: Stage) -> None:
    """By the imports of the package, which no list of ours names: a module that a stage uses moves it."""
    graph, order = grimp.build_graph("cxr"), list(Stage)
    for entry in ENTRIES[stage]:
        for module in sorted({entry, *graph.find_upstream_modules(entry)}):
            if module.startswith(NO_RESULT) or module in LATER.get(stage, set()) or graph.find_children(module):
                continue
            counted = stage_of_module(f"{module.removeprefix('cxr.').replace('.', '/')}.py")
            assert counted is not None, f"{module}, which {entry} imports, moves no stage"
            assert order.index(counted) <= order.index(stage), f"{module}, which {entry} imports, moves only {counted}"


ADD = "def add(first: int, second: int) -> int:\n    return first + second\n"


@pytest.mark.parametrize("change", [("first + second", "first - second"), ("second: int", "second: int = 1"), ("add", "plus")])
def test_all_other_syntax_is_part_of_the_code(change: tuple[str, str]) -> None:
    assert syntax_of(ADD) != syntax_of(ADD.replace(*change))


def test_another_version_of_a_library_moves_the_stages_that_compute_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    before, version_of = inputs(params()), code.version_of
    assert before.bases
    for library, stages in {"keras": DOWNSTREAM["train"], "scikit-learn": DOWNSTREAM["gate"], "pydicom": DOWNSTREAM[""]}.items():
        with monkeypatch.context() as patch:
            patch.setattr("cxr.stages.basis.version_of", lambda name, library=library: "9" if name == library else version_of(name))
            assert moved(before, inputs(params())) == stages
