"""The table of stages: the settings, columns, files, libraries and code that each reads, and the artifacts that it writes.

Cache keys, the folder of an unfinished run, "finished before", what is missing, the identity of a sweep, the reasons of `cxr plan`,
what comparisons hold equal and which heads train side by side all follow from this table.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

Params = Mapping[str, str]  # a config by dotted key, as `cxr.config.fields.flat_params` writes it
Condition = Callable[[Params], bool]


class Stage(StrEnum):
    """The stages of a run, in their order. The first four leave nothing in the run: caches hold their results."""

    NETWORK = "network"  # the layers and their first weights
    VIEWS = "views"  # augmented views of training images
    FROZEN = "frozen"  # activations of the layers that do not train
    DECODE = "decode"  # images, labels and parts: their outcome is the manifest, so later stages read its columns
    TRAIN = "train"
    GATE = "gate"  # for images unlike those that the network knows, and for turned ones
    PREDICT = "predict"
    ASSESS = "assess"
    AUDIT = "audit"
    REPORT = "report"


class File(StrEnum):
    """What counts by its content, wherever it lies."""

    WEIGHTS = "weights"
    NETWORK = "network"  # `backbone.file`
    MASKS = "masks"
    LUNGS = "lungs"  # the network that finds them
    BASELINE = "baseline"  # the run that a report compares with, by its id


class Part(StrEnum):
    """Which part of an experiment a setting belongs to."""

    RECIPE = "recipe"  # what a preset decides
    SUBJECT = "subject"  # data, split, backbone and evaluation, which a run and its baseline have in common
    CHANCE = "chance"  # another value makes another draw of the same experiment
    NONE = ""


def _always(params: Params) -> bool:
    return True


@dataclass(frozen=True)
class Setting:
    """One stage that reads a setting, under a condition on the others."""

    key: str
    stage: Stage | None  # none: it changes no result
    when: Condition = _always
    part: Part = Part.NONE
    of_head: bool = False  # heads that train side by side may differ in it


@dataclass(frozen=True)
class Row:
    """One stage: the earlier stages whose results it takes, and what it reads and writes beside its settings."""

    stage: Stage
    after: tuple[Stage, ...] = ()
    columns: Mapping[str, Condition] | None = None  # of the manifest; None: all
    files: Mapping[File, Condition] | None = None
    libraries: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()  # artifacts, as patterns
    version: int = 1  # raise it to have all results of the stage made again


def _is(key: str, *values: str | None) -> Condition:
    return lambda params: params.get(key) in values


def _on(key: str) -> Condition:
    """A number other than 0."""
    return lambda params: bool(params.get(key)) and params[key] != "None" and float(params[key]) != 0


def _any(*conditions: Condition) -> Condition:
    return lambda params: any(condition(params) for condition in conditions)


def _both(*conditions: Condition) -> Condition:
    return lambda params: all(condition(params) for condition in conditions)


def _not(condition: Condition) -> Condition:
    return lambda params: not condition(params)


def _set(key: str) -> Condition:
    """A list, a mapping or a text that is not empty."""
    return lambda params: params.get(key, "None") not in ("None", "", "[]", "{}")


_SHAPES = ("rotation_degrees", "translation", "zoom", "shear_degrees", "aspect", "erase_corners", "background")
_LEVELS = ("brightness", "contrast", "gamma", "resolution", "noise")
_STRENGTHS = tuple(f"augment.{name}" for name in (*_SHAPES, *_LEVELS))
augments = _any(*map(_on, _STRENGTHS), _set("augment.more"))
_deep = _any(_not(_is("freeze.trainable_from", "head")), _set("freeze.gradual"))
_foreign_loss = _not(_is("loss.formula", "weighted_cross_entropy", None))  # an installed one may read any setting
_by_source = _any(_is("training.sampling", "source_balanced"), _on("loss.group_robust"))
_audits = _on("audit.images")
_prepares_by_lungs = _any(_is("prepare.markers", "True"), _is("prepare.mask", "lungs"), _is("prepare.crop", "thorax", "lungs"))

N, V, F, D, T, G, P, E, A, R = Stage
# Which stage reads which settings, and which part of an experiment they belong to. No stage: places, names and order.
_READ: tuple[tuple[Stage | None, Part, str], ...] = (
    (D, Part.SUBJECT, "data.classes data.aliases data.merge data.keep data.on_bad_image data.on_conflict data.source"),
    (D, Part.SUBJECT, "data.layout data.grey"),
    (D, Part.SUBJECT, "data.dicom_patients data.columns.path data.columns.label data.columns.source data.columns.group"),
    (D, Part.SUBJECT, "data.columns.split data.columns.view data.columns.more"),
    (D, Part.SUBJECT, "data.phantom data.phantom.count data.phantom.image_size"),
    (D, Part.SUBJECT, "data.phantom.seed data.phantom.shortcut data.phantom.strength data.phantom.turned"),
    (D, Part.SUBJECT, "split.method split.validation split.test split.folds split.fold split.source split.seed"),
    (N, Part.SUBJECT, "backbone.name backbone.alpha backbone.image_size"),
    (N, Part.RECIPE, "backbone.input_range backbone.mean backbone.std prepare.markers prepare.borders prepare.corners"),
    (N, Part.RECIPE, "prepare.histogram prepare.mask prepare.crop prepare.dilation"),
    (V, Part.RECIPE, f"{' '.join(_STRENGTHS)} augment.more"),
    (V, Part.CHANCE, "training.seed"),
    (F, Part.SUBJECT, "engine.name"),
    (F, Part.CHANCE, "training.precision"),
    (T, Part.RECIPE, "freeze.trainable_from freeze.gradual freeze.warmup_epochs freeze.batch_norm freeze.batch_norm_momentum"),
    (T, Part.RECIPE, "backbone.dropout augment.mixup augment.views"),
    (T, Part.RECIPE, "training.batch_size training.sampling training.soup training.weight_average"),
    (T, Part.CHANCE, "training.seed training.deterministic"),
    (T, Part.SUBJECT, "evaluation.batch_size"),  # of the validation that stops a training, too
    (T, Part.NONE, "training.cache"),
    (P, Part.SUBJECT, "evaluation.views evaluation.verified_images"),
    (E, Part.SUBJECT, "evaluation.urgent evaluation.routine evaluation.sensitivity evaluation.specificity evaluation.alpha"),
    (E, Part.SUBJECT, "evaluation.sensitivity_margin evaluation.costs evaluation.missed_cost evaluation.review_routine"),
    (E, Part.SUBJECT, "evaluation.prevalences evaluation.subgroups evaluation.small_group evaluation.bins evaluation.resamples"),
    (A, Part.NONE, "audit.images audit.seen audit.changed audit.mapped"),
    (R, Part.SUBJECT, "evaluation.primary evaluation.failures evaluation.figure_dpi evaluation.pictures"),
    (R, Part.SUBJECT, "evaluation.saliency_images data.citation data.licence"),
    (None, Part.SUBJECT, "data.name data.root data.manifest data.masks split.name backbone.file backbone.weights evaluation.name"),
    (None, Part.NONE, "prepare.name augment.name freeze.name loss.name training.name audit.name training.threads"),
    (None, Part.NONE, "training.cache_limit_gb objective.name objective.metric objective.direction baseline.auto"),
    (None, Part.NONE, "sweep.reports sweep.on_failure work.dir tracking.name tracking.uri tracking.offline force"),
    (None, Part.NONE, "tracking.needs_server tracking.experiment tracking.run_name tracking.role"),
)
# Of the recipe, what each of several heads that train side by side may have for itself.
_OF_HEAD = (
    *("loss.weighting", "loss.focal_gamma", "loss.label_smoothing", "loss.cost_strength", "loss.formula", "loss.group_robust"),
    *("loss.effective_beta", "loss.costs", "loss.more", "optimizer.name", "optimizer.learning_rate", "optimizer.warmup_steps"),
    *("optimizer.clip_norm", "optimizer.schedule", "optimizer.weight_decay", "optimizer.momentum", "optimizer.backbone_rate"),
    *("optimizer.stage_decay", "optimizer.plateau_factor", "optimizer.plateau_patience"),
    *("training.epochs", "training.early_stopping_patience"),
)
# Settings that are read under a condition alone.
_WHEN: Mapping[tuple[Stage, str], Condition] = {
    (N, "prepare.dilation"): _is("prepare.mask", "lungs"),
    (V, "training.seed"): augments,
    (T, "augment.views"): augments,
    (T, "freeze.warmup_epochs"): _both(_not(_is("freeze.trainable_from", "head")), _not(_set("freeze.gradual"))),
    (T, "freeze.batch_norm"): _deep,
    (T, "freeze.batch_norm_momentum"): _both(_deep, _is("freeze.batch_norm", "train")),
    (T, "loss.effective_beta"): _any(_is("loss.weighting", "effective"), _foreign_loss),
    (T, "loss.costs"): _any(_on("loss.cost_strength"), _foreign_loss),
    (T, "loss.more"): _foreign_loss,
    (T, "optimizer.momentum"): _is("optimizer.name", "sgd", "rmsprop"),
    **dict.fromkeys(((T, "optimizer.backbone_rate"), (T, "optimizer.stage_decay")), _deep),
    **dict.fromkeys(((T, "optimizer.plateau_factor"), (T, "optimizer.plateau_patience")), _is("optimizer.schedule", "plateau")),
    (E, "evaluation.missed_cost"): _not(_set("evaluation.costs")),
    **dict.fromkeys(((A, "audit.seen"), (A, "audit.changed"), (A, "audit.mapped")), _audits),
    (R, "evaluation.saliency_images"): _is("evaluation.pictures", "True"),
}
SETTINGS: tuple[Setting, ...] = tuple(
    Setting(key, stage, _WHEN.get((stage, key), _always) if stage else _always, part, key in _OF_HEAD)
    for stage, part, keys in (*_READ, (T, Part.RECIPE, " ".join(_OF_HEAD)))
    for key in keys.split()
)

_IMAGES = dict.fromkeys(("path", "label", "sha256", "split"), _always)
_TENSORS = ("tensorflow", "keras", "openvino", "numpy")

ROWS: tuple[Row, ...] = (
    Row(
        N,
        columns={},
        files={File.WEIGHTS: _always, File.NETWORK: _always, File.LUNGS: _prepares_by_lungs},
        libraries=_TENSORS,
    ),
    Row(V, columns={}, files={File.MASKS: _on("augment.background")}, libraries=(*_TENSORS, "scipy", "pillow")),
    Row(F, after=(N, V), columns={}, libraries=("pillow",)),
    Row(D, writes=("config/*", "data/*", "environment/*", "training/facts.json")),
    Row(T, after=(N, V, F), columns=_IMAGES | {"source": _by_source}, writes=("model/model.keras", "training/training.json")),
    Row(
        G,
        after=(T,),
        columns={},
        files={File.LUNGS: _always},
        libraries=("scikit-learn", "scipy"),
        writes=("model/gate.npz", "model/orientation.npz"),
    ),
    Row(P, after=(T, G), columns=dict.fromkeys(("group", "width", "height"), _always), writes=("predictions/*", "features/*")),
    Row(
        E,
        after=(P,),
        columns={"group": _always},  # and those that define subgroups
        libraries=("pandas",),
        writes=(
            *("evaluation/metrics.json", "evaluation/by_class.json", "evaluation/classification_report.txt"),
            *("evaluation/training_curves.csv", "model/decisions.json"),
        ),
    ),
    Row(
        A,
        after=(G,),
        columns=dict.fromkeys(("source", "group", "width", "height", "mask"), _always),
        files={File.MASKS: _audits},
        libraries=("pandas", "pillow"),
        writes=("audit/*",),
    ),
    Row(
        R,
        after=(E, A),
        files={File.BASELINE: _always},
        writes=(
            *("report.html", "report.json", "report.schema.json", "model_card.md", "checklists.md"),
            *("evaluation/*.png", "evaluation/*.svg", "evaluation/films/*", "evaluation/vs_baseline.json"),
        ),
    ),
)

# The first stage that a module computes something for, by the beginning of its path; the longest beginning counts. None: it finds,
# starts, moves or shows, and computes no result.
CODE: Mapping[str, Stage | None] = {
    **dict.fromkeys(("__init__.py", "__main__.py", "cli.py", "errors.py", "progress.py", "system.py"), None),
    **dict.fromkeys(("commands/", "compare/", "config/", "predict/", "profile/", "reevaluate/", "reproduce/"), None),
    **dict.fromkeys(("stages/", "sweep/", "tracking/", "data/", "run/"), None),
    **dict.fromkeys(("cache/", "config/extensions.py", "config/costs.py", "training/", "data/dataset.py", "data/images/"), T),
    **dict.fromkeys(("run/fit/", "run/pipeline.py", "run/prepared.py", "run/origin.py"), T),
    "model/": N,
    **dict.fromkeys(
        ("model/losses/", "model/optimizer.py", "model/class_weights.py", "model/fused_batch_norm.py", "model/freeze.py"), T
    ),
    **dict.fromkeys(("anatomy/", "data/augment.py", "data/views.py", "data/warp.py"), V),
    **dict.fromkeys(("training/engine.py", "training/frozen.py"), F),
    **dict.fromkeys(("training/trained_model.py", "model/saved.py", "model/grad_cam.py", "model/feature_maps.py"), G),
    **dict.fromkeys(("audit/gate.py", "audit/orientation.py", "run/fit/predict.py", "evaluation/shift.py"), G),
    **dict.fromkeys(("training/several_views.py", "training/verify.py", "evaluation/predictions.py"), P),
    **dict.fromkeys(("run/fit/features.py", "run/fit/stored_training.py", "data/safe_csv.py"), P),
    "data/images/properties.py": P,
    **dict.fromkeys(("evaluation/", "run/report/assess.py", "text.py"), E),
    **dict.fromkeys(("audit/", "run/audited.py", "data/images/compression.py", "data/source_shortcut.py"), A),
    **dict.fromkeys(("evaluation/figures/", "evaluation/report/", "evaluation/saliency.py", "evaluation/failures.py"), R),
    "run/report/": R,
    **dict.fromkeys(("compare/baseline.py", "compare/runs.py", "evaluation/paired.py"), R),
    "training/exported.py": None,
    "evaluation/light.py": A,
    "run/report/summary.py": None,
}
