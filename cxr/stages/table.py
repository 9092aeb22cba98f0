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
    PREDICT = "predict"
    ASSESS = "assess"
    AUDIT = "audit"
    REPORT = "report"


class File(StrEnum):
    """What counts by its content, wherever it lies."""

    WEIGHTS = "weights"
    NETWORK = "network"  # `backbone.file`
    MASKS = "masks"


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


_STRENGTHS = tuple(
    f"augment.{name}"
    for name in (
        *("rotation_degrees", "translation", "zoom", "shear_degrees", "brightness", "contrast", "aspect", "gamma"),
        *("resolution", "noise", "erase_corners", "surroundings"),
    )
)
augments = _any(*map(_on, _STRENGTHS), _set("augment.more"))
_deep = _any(_not(_is("freeze.trainable_from", "head")), _set("freeze.gradual"))
_foreign_loss = _not(_is("loss.formula", "weighted_cross_entropy", None))  # an installed one may read any setting
_by_source = _any(_is("training.sampling", "source_balanced"), _on("loss.group_robust"))
_audits = _on("audit.images")
_pictures = _is("evaluation.pictures", "True")


def _settings(
    stage: Stage | None, *keys: str, when: Condition = _always, part: Part = Part.NONE, of_head: bool = False
) -> list[Setting]:
    return [Setting(key, stage, when, part, of_head) for key in keys]


N, V, F, D, T, P, E, A, R = Stage
SETTINGS: tuple[Setting, ...] = (
    # The images, their labels and their parts: read through the manifest.
    *_settings(None, "data.name", "data.root", "data.manifest", part=Part.SUBJECT),  # places
    *_settings(D, "data.classes", "data.aliases", part=Part.SUBJECT),
    *_settings(D, "data.columns.path", "data.columns.label", "data.columns.source", "data.columns.group", part=Part.SUBJECT),
    *_settings(D, "data.columns.split", "data.columns.more", "data.merge", "data.keep", part=Part.SUBJECT),
    *_settings(D, "data.on_bad_image", "data.on_conflict", "data.source", "data.dicom_patients", part=Part.SUBJECT),
    *_settings(D, "data.phantom", "data.phantom.count", "data.phantom.image_size", "data.phantom.seed", part=Part.SUBJECT),
    *_settings(D, "data.phantom.shortcut", "data.phantom.strength", "data.phantom.turned", part=Part.SUBJECT),
    *_settings(R, "data.citation", "data.licence", part=Part.SUBJECT),
    *_settings(None, "split.name", part=Part.SUBJECT),
    *_settings(D, "split.method", "split.validation", "split.test", "split.folds", part=Part.SUBJECT),
    *_settings(D, "split.fold", "split.source", "split.seed", part=Part.SUBJECT),
    # The network.
    *_settings(N, "backbone.name", "backbone.alpha", "backbone.image_size", part=Part.SUBJECT),
    *_settings(N, "backbone.input_range", "backbone.mean", "backbone.std", part=Part.RECIPE),
    *_settings(None, "backbone.file", "backbone.weights", part=Part.SUBJECT),  # their content is read
    *_settings(T, "backbone.dropout", part=Part.RECIPE),
    *_settings(None, "prepare.name"),
    *_settings(N, "prepare.markers", "prepare.borders", "prepare.corners", "prepare.histogram", part=Part.RECIPE),
    *_settings(N, "prepare.mask", "prepare.crop", part=Part.RECIPE),
    *_settings(N, "prepare.dilation", when=_is("prepare.mask", "lungs"), part=Part.RECIPE),
    # Views and activations.
    *_settings(None, "augment.name"),
    *_settings(V, *_STRENGTHS, "augment.more", part=Part.RECIPE),
    *_settings(V, "training.seed", when=augments, part=Part.CHANCE),
    *_settings(F, "engine.name", part=Part.SUBJECT),
    *_settings(F, "training.precision", part=Part.CHANCE),
    # Training.
    *_settings(None, "freeze.name"),
    *_settings(T, "freeze.trainable_from", "freeze.gradual", part=Part.RECIPE),
    *_settings(
        T,
        "freeze.warmup_epochs",
        when=_both(_not(_is("freeze.trainable_from", "head")), _not(_set("freeze.gradual"))),
        part=Part.RECIPE,
    ),
    *_settings(T, "freeze.batch_norm", when=_deep, part=Part.RECIPE),
    *_settings(T, "freeze.batch_norm_momentum", when=_both(_deep, _is("freeze.batch_norm", "train")), part=Part.RECIPE),
    *_settings(T, "augment.mixup", part=Part.RECIPE),
    *_settings(T, "augment.views", when=augments, part=Part.RECIPE),
    *_settings(None, "loss.name"),
    *_settings(
        T, "loss.weighting", "loss.focal_gamma", "loss.label_smoothing", "loss.cost_strength", part=Part.RECIPE, of_head=True
    ),
    *_settings(T, "loss.formula", "loss.group_robust", part=Part.RECIPE, of_head=True),
    *_settings(
        T, "loss.effective_beta", when=_any(_is("loss.weighting", "effective"), _foreign_loss), part=Part.RECIPE, of_head=True
    ),
    *_settings(T, "loss.costs", when=_any(_on("loss.cost_strength"), _foreign_loss), part=Part.RECIPE, of_head=True),
    *_settings(T, "loss.more", when=_foreign_loss, part=Part.RECIPE, of_head=True),
    *_settings(T, "optimizer.name", "optimizer.learning_rate", "optimizer.warmup_steps", part=Part.RECIPE, of_head=True),
    *_settings(T, "optimizer.clip_norm", "optimizer.schedule", "optimizer.weight_decay", part=Part.RECIPE, of_head=True),
    *_settings(T, "optimizer.momentum", when=_is("optimizer.name", "sgd", "rmsprop"), part=Part.RECIPE, of_head=True),
    *_settings(T, "optimizer.backbone_rate", "optimizer.stage_decay", when=_deep, part=Part.RECIPE, of_head=True),
    *_settings(
        *(T, "optimizer.plateau_factor", "optimizer.plateau_patience"),
        when=_is("optimizer.schedule", "plateau"),
        part=Part.RECIPE,
        of_head=True,
    ),
    *_settings(None, "training.name"),
    *_settings(T, "training.epochs", "training.early_stopping_patience", part=Part.RECIPE, of_head=True),
    *_settings(T, "training.batch_size", "training.sampling", "training.soup", "training.weight_average", part=Part.RECIPE),
    *_settings(T, "training.cache", part=Part.NONE),
    *_settings(T, "training.seed", "training.deterministic", part=Part.CHANCE),
    *_settings(None, "training.threads", "training.cache_limit_gb"),
    # Predictions, numbers, audit, report.
    *_settings(None, "evaluation.name"),
    *_settings(T, "evaluation.batch_size", part=Part.SUBJECT),  # of the validation that stops a training, too
    *_settings(P, "evaluation.views", "evaluation.verified_images", part=Part.SUBJECT),
    *_settings(E, "evaluation.urgent", "evaluation.routine", "evaluation.sensitivity", "evaluation.specificity", part=Part.SUBJECT),
    *_settings(E, "evaluation.sensitivity_margin", "evaluation.costs", "evaluation.alpha", part=Part.SUBJECT),
    *_settings(E, "evaluation.missed_cost", when=_not(_set("evaluation.costs")), part=Part.SUBJECT),
    *_settings(E, "evaluation.review_routine", "evaluation.prevalences", "evaluation.subgroups", part=Part.SUBJECT),
    *_settings(E, "evaluation.small_group", "evaluation.bins", "evaluation.resamples", part=Part.SUBJECT),
    *_settings(R, "evaluation.primary", "evaluation.failures", "evaluation.figure_dpi", part=Part.SUBJECT),
    *_settings(R, "evaluation.pictures", part=Part.SUBJECT),
    *_settings(R, "evaluation.saliency_images", when=_pictures, part=Part.SUBJECT),
    *_settings(None, "audit.name"),
    *_settings(A, "audit.images"),
    *_settings(A, "audit.seen", "audit.changed", "audit.mapped", when=_audits),
    # Order, places and names: no result depends on them.
    *_settings(None, "objective.name", "objective.metric", "objective.direction", "baseline.auto", "sweep.reports"),
    *_settings(None, "sweep.on_failure", "work.dir", "tracking.name", "tracking.uri", "tracking.offline"),
    *_settings(None, "tracking.needs_server", "tracking.experiment", "tracking.run_name", "tracking.role", "force"),
)

_IMAGES = dict.fromkeys(("path", "label", "sha256", "split"), _always)
_TENSORS = ("tensorflow", "keras", "openvino", "numpy")

ROWS: tuple[Row, ...] = (
    Row(N, columns={}, files=dict.fromkeys((File.WEIGHTS, File.NETWORK), _always), libraries=_TENSORS),
    Row(V, columns={}, files={File.MASKS: _on("augment.surroundings")}, libraries=(*_TENSORS, "scipy", "pillow")),
    Row(F, after=(N, V), columns={}, libraries=("pillow",)),
    Row(D, writes=("config/*", "data/*", "environment/*", "training/facts.json")),
    Row(T, after=(N, V, F), columns=_IMAGES | {"source": _by_source}, writes=("model/model.keras", "training/training.json")),
    Row(
        P,
        after=(T,),
        columns=dict.fromkeys(("group", "width", "height"), _always),
        libraries=("scikit-learn", "scipy"),
        writes=("predictions/*", "features/*", "model/gate.npz", "model/orientation.npz"),
    ),
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
        after=(P,),
        columns=dict.fromkeys(("source", "group", "width", "height", "mask"), _always),
        files={File.MASKS: _audits},
        libraries=("pandas", "pillow"),
        writes=("audit/*",),
    ),
    Row(
        R,
        after=(E, A),
        writes=(
            *("report.html", "report.json", "report.schema.json", "model_card.md", "checklists.md"),
            *("evaluation/*.png", "evaluation/*.svg", "evaluation/films/*", "evaluation/vs_baseline.json"),
        ),
    ),
)

# The first stage that a module computes something for, by the beginning of its path; the longest beginning counts. None: it finds,
# starts, moves or shows, and computes no result.
CODE: Mapping[str, Stage | None] = {
    **dict.fromkeys(("__init__.py", "__main__.py", "cli.py", "background.py", "errors.py", "progress.py", "system.py"), None),
    **dict.fromkeys(("quiet_openvino.py", "commands/", "compare/", "config/", "predict/", "reevaluate/", "reproduce/"), None),
    **dict.fromkeys(("results/", "stages/", "sweep/", "tracking/", "data/", "run/"), None),
    **dict.fromkeys(("cache/", "extensions.py", "config/costs.py", "training/", "data/dataset.py", "data/images/"), T),
    **dict.fromkeys(("run/train.py", "run/heads.py", "run/groups.py", "run/pipeline.py", "run/prepared.py"), T),
    **dict.fromkeys(("run/ingredients.py", "run/origin.py"), T),
    "model/": N,
    **dict.fromkeys(("model/losses/", "model/optimizer.py", "model/class_weights.py", "model/folded.py", "model/freeze.py"), T),
    **dict.fromkeys(("data/augment.py", "data/views.py", "data/warp.py", "data/surroundings.py", "data/lung_masks.py"), V),
    **dict.fromkeys(("data/lung_atlas.py", "data/sources/phantom.py"), V),
    **dict.fromkeys(("training/engine.py", "training/frozen.py"), F),
    **dict.fromkeys(("training/trained_model.py", "training/several_views.py", "training/verify.py"), P),
    **dict.fromkeys(("model/saved.py", "model/grad_cam.py", "model/feature_maps.py"), P),
    **dict.fromkeys(("audit/gate.py", "audit/orientation.py", "audit/changes.py", "evaluation/predictions.py"), P),
    **dict.fromkeys(("evaluation/shift.py", "run/predict.py", "run/features.py", "run/stored_training.py", "safe_csv.py"), P),
    "data/images/properties.py": P,
    **dict.fromkeys(("evaluation/", "run/assess.py", "text.py"), E),
    **dict.fromkeys(("audit/", "run/audited.py", "data/images/compression.py", "data/source_shortcut.py"), A),
    **dict.fromkeys(("evaluation/figures/", "evaluation/report/", "evaluation/saliency.py", "evaluation/failures.py"), R),
    **dict.fromkeys(("run/explain.py", "run/artifacts.py", "run/report_context.py", "run/reporting.py"), R),
    **dict.fromkeys(("compare/baseline.py", "compare/runs.py", "evaluation/paired.py"), R),
    "training/exported.py": None,
    "evaluation/light.py": A,
    **dict.fromkeys(("run/drawing_ahead.py", "run/summary.py"), None),
}
