"""The context of a report: model, data, and what a reader should distrust."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pandas as pd

from cxr.audit.account import account_of
from cxr.audit.audit import Audit
from cxr.compare.baseline import AgainstBaseline
from cxr.compare.runs import name_with_id
from cxr.config.fields import flat_params
from cxr.config.schema import BackboneConfig, Config, SplitConfig
from cxr.data.dataset import Dataset
from cxr.data.identity.annotate import Identity
from cxr.data.manifest import data_fingerprint, summary
from cxr.data.source_shortcut import source_shortcut
from cxr.evaluation.report.document import PROFILE, Data, Model, ReportContext
from cxr.model.backbones.registry import describe
from cxr.model.weights import RUN
from cxr.run.prepared import PreparedRun
from cxr.stages.basis import is_compared
from cxr.text import pluralize
from cxr.tracking.environment import code_version, packages
from cxr.tracking.run import Run

_SHORTCUT = 0.05  # gain of guessing the class by source over blind guessing, from which the report warns
_PACKAGES = ("cxr", "tensorflow", "keras", "openvino", "scikit-learn", "scipy", "numpy", "mlflow")


def context_of(prepared: PreparedRun, run: Run, training_of: str = "") -> ReportContext:
    """The context of a run's report, from its data and config; `training_of` is the id of a run whose training it has."""
    config, dataset = prepared.config, prepared.dataset
    model = model_context(config, prepared.weights.sha256)
    data = data_context(config, dataset.manifest, left_out_of(dataset), dataset.identity)
    return ReportContext(
        title=f"cxr run {run.name}",
        run_id=run.id,
        name=run.name,
        role=config.tracking.role,
        choices=dict(prepared.provenance.choices),
        overrides=list(prepared.provenance.overrides),
        evaluated=None,
        asked=[],
        evaluated_by="",
        model=replace(model, training=f"{model.training}; the training of run {training_of[:8]}") if training_of else model,
        data=replace(data, profile=PROFILE if prepared.profile else ""),
        other_data=None,
        overlap=None,
        caveats=caveats(config, dataset.manifest),
        baseline=None,
        no_baseline="this run is a baseline itself.",
        differences=[],
        started=day_of(run),
        user=run.user,
        primary=config.evaluation.primary,
    )


def with_audit(context: ReportContext, audited: Audit) -> ReportContext:
    """The context with the account of an audit."""
    return replace(context, audit=account_of(audited))


def day_of(run: Run) -> str:
    """The day on which a run began, in UTC, as 2026-11-25."""
    return datetime.fromtimestamp(run.started / 1000, UTC).strftime("%Y-%m-%d")


def beside_baseline(context: ReportContext, against: AgainstBaseline | None) -> ReportContext:
    """The context of a run that was compared with its baseline, or could not be."""
    if against is None:
        return context
    context = replace(context, no_baseline=against.reason)
    if against.baseline is None:
        return context
    settings = _differing(against.baseline.params, context.model.settings, context.overrides)
    name = name_with_id(against.baseline)
    return replace(context, baseline=name, differences=against.differences, baseline_settings=settings)


def _differing(baseline: Mapping[str, str], own: Mapping[str, str], overrides: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Options and overridden settings in which a run differs from its baseline: of the baseline, of the run."""
    keys = [key for key in own if is_compared(key) and key in baseline and baseline[key] != own[key]]
    overridden = {override.lstrip("+~").partition("=")[0] for override in overrides}
    shown = [key for key in keys if key.endswith(".name") or key in overridden]
    return {key.removesuffix(".name"): (baseline[key], own[key]) for key in shown}


def model_context(config: Config, weights_sha256: str | None) -> Model:
    """The network and its training, in phrases."""
    freeze, loss, optimizer, training, augment = config.freeze, config.loss, config.optimizer, config.training, config.augment
    weighing = [
        f"class weights {loss.weighting}" if loss.weighting != "none" else "",
        f"focal, gamma {loss.focal_gamma:g}" if loss.focal_gamma else "",
        f"label smoothing {loss.label_smoothing:g}" if loss.label_smoothing else "",
        f"costs of strength {loss.cost_strength:g}" if loss.cost_strength else "",
    ]
    trained = "head trained, backbone frozen" if freeze.trainable_from == "head" else f"trained from {freeze.trainable_from} upward"
    patience = training.early_stopping_patience
    stopping = "no early stopping" if patience is None else f"stopped after {patience} epochs of no smaller validation loss"
    versions = dict(line.split("==", 1) for line in packages().splitlines() if "==" in line)
    return Model(
        backbone=describe_backbone(config.backbone),
        weights=f"Backbone weights: {describe_weights(config.backbone)}"
        + (f" (sha256 {weights_sha256[:12]})" if weights_sha256 else ""),
        image_size=config.backbone.image_size,
        trained=trained,
        loss=f"loss {loss.name}: " + (", ".join(filter(None, weighing)) or "plain cross-entropy"),
        optimizer=f"{optimizer.name}, learning rate {optimizer.learning_rate:g} ({optimizer.schedule}), "
        f"{optimizer.backbone_rate:g} of it for the backbone",
        training=f"Up to {training.epochs} epochs of batches of {training.batch_size}, {stopping}, {training.precision}",
        augmentation=f"augmentation {augment.name}"
        + (f"; images prepared: {config.prepare.name}" if config.prepare.changes_images else ""),
        seed=training.seed,
        settings=flat_params(config),
        packages={name: versions[name] for name in _PACKAGES if name in versions},
        code=describe_code(),
    )


def describe_backbone(config: BackboneConfig) -> str:
    """The name of a backbone, and its width where it has several.

    >>> describe_backbone(BackboneConfig(name="densenet121")), describe_backbone(BackboneConfig(name="phantom", alpha=0.35))
    ('DenseNet121', 'MobileNetV2 (alpha 0.35)')
    """
    backbone = describe(config).backbone
    return backbone.short_title + (f" (alpha {config.alpha:g})" if backbone.widened else "")


def describe_weights(config: BackboneConfig) -> str:
    """What the backbone started from."""
    if config.weights.startswith(RUN):
        return f"those of {config.weights.removeprefix(RUN)}, a run in the same store"
    return "random" if config.weights == "none" else config.weights.rsplit("/", 1)[-1]


def describe_code() -> str:
    """Which code this is."""
    code = code_version()
    return f"commit {code.commit}{', with uncommitted changes' if code.dirty else ''}" if code.commit else "commit not known"


def data_context(config: Config, manifest: pd.DataFrame, left_out: Mapping[str, int], identity: Identity) -> Data:
    """Which images, how they were split, and what was left out.

    Args:
        manifest: of the images.
    """
    counts = summary(manifest)
    known = manifest[manifest["source"] != ""]
    sources = pd.crosstab(known["source"], known["label"])
    lost = "".join(f", {pluralize(count, f'{why} image')} left out" for why, count in left_out.items() if count)
    return Data(
        summary=f"{pluralize(len(manifest), 'image')} of data={config.data.name}{lost}",
        split=describe_split(config.split),
        flow=_nested(counts),
        sources=_nested(sources),
        left_out=dict(left_out),
        groups=int(manifest["group"].nunique()),
        fingerprint=data_fingerprint(manifest),
        identity=identity,
        citation=config.data.citation,
        licence=config.data.licence,
    )


def _nested(counts: pd.DataFrame) -> dict[str, dict[str, int]]:
    """A table of counts by row and column."""
    rows = zip(counts.index, counts.to_numpy().tolist(), strict=True)
    return {str(row): dict(zip(map(str, counts.columns), values, strict=True)) for row, values in rows}


def describe_split(split: SplitConfig) -> str:
    """How the parts came about.

    >>> describe_split(SplitConfig())
    'Split three_way: 15% of the images validate, 20% test, class by class, whole groups at a time'
    """
    whole = "class by class, whole groups at a time"
    if split.method == "fractions":
        test = f"{split.test:.0%} test" if split.test else "none test"
        return f"Split {split.name}: {split.validation:.0%} of the images validate, {test}, {whole}"
    if split.method == "folds":
        return f"Split {split.name}: fold {split.fold} of {split.folds} tests, {split.validation:.0%} validate, {whole}"
    if split.method == "sources":
        more = f"; of classes that it lacks {split.test:.0%} of the images of other sources test" if split.test else ""
        return f"Split {split.name}: source {split.source} tests{more}; {split.validation:.0%} of the others validate, {whole}"
    return f"Split {split.name}: by a column of the manifest"


def left_out_of(dataset: Dataset) -> dict[str, int]:
    """Numbers of images that the run could not use, by why."""
    return {
        "unreadable": len(dataset.bad),
        "contradictory": int(dataset.conflicts["left_out"].sum()),
        "source-crossing": len(dataset.excluded),
    }


def caveats(config: Config, manifest: pd.DataFrame) -> list[str]:
    """What a reader should distrust of images that a network learned from, in plain sentences.

    Args:
        manifest: of the images.
    """
    shortcut = source_shortcut(manifest["label"], manifest["source"])
    if shortcut and shortcut.guessed > shortcut.guessed_blindly + _SHORTCUT:
        text = f"{shortcut.text}: a network may have learned where an image comes from. split=leave_source_out tests for that."
        return [text, *data_caveats(config)]
    return data_caveats(config)


def data_caveats(config: Config) -> list[str]:
    """What a reader should distrust of a set of images, for any model."""
    if config.data.phantom is not None:
        return ["The images are synthetic: these numbers show the workflow and nothing about medicine."]
    if config.data.name == "radiography":
        return [
            "In this database the classes come from different hospitals and age groups, so a model can separate them by source; "
            "no patient ids are known. Take these numbers as upper bounds."
        ]
    return []
