"""Validation of a config: the range of each value, and conflicts between values."""

from collections.abc import Iterator
from dataclasses import Field
from typing import Any
from urllib.parse import urlsplit

from cxr.config.costs import check_costs
from cxr.config.fields import settings
from cxr.config.schema import FRESH, LEVELS, BackboneConfig, Config, DataConfig, FreezeConfig, SplitConfig
from cxr.errors import UserError
from cxr.system import expanded
from cxr.text import nearest

# Grey levels that float32 holds with room to spare: 16 bits reach 65,535, and pretrained weights expect no more.
_LARGEST, _FINEST = 100_000, 1e-3


def check(config: Config) -> None:
    """Raise `UserError` for the first value that is out of its range, or in conflict with another."""
    check_values(config)
    for conflict in _conflicts(config):
        raise UserError(conflict)
    check_costs(config.loss.costs, "loss.costs")
    check_costs(config.evaluation.costs, "evaluation.costs")


def check_values(config: Config) -> None:
    """Raise `UserError` for the first value that is out of the range of its field."""
    for key, value, item in settings(config):
        check_value(key, value, item)


def check_value(key: str, value: Any, item: Field[Any]) -> None:
    """Raise `UserError` for a value out of the range of its field."""
    if value is None:
        return
    if "path" in item.metadata and not value:
        raise UserError(f"{key} is empty: give a path, or leave it out")
    if "fits" in item.metadata and not item.metadata["fits"](value):
        raise UserError(f"{key}={value} is out of range: it must be {item.metadata['text']}")
    if "names" in item.metadata and value not in item.metadata["names"]:
        raise UserError(f"{key}={value} is not known: {nearest(str(value), item.metadata['names'])}")


def _conflicts(config: Config) -> Iterator[str]:
    """What is wrong with values that fit their own fields, then what to do; a line for each conflict."""
    yield from _of_data(config.data)
    yield from _of_split(config.split)
    yield from _of_backbone(config.backbone)
    yield from _of_speed(config)
    yield from _of_freeze(config.freeze)
    if config.optimizer.schedule == "plateau" and config.optimizer.warmup_steps:
        yield "optimizer.warmup_steps needs schedule=constant or cosine: plateau sets the learning rate by itself"
    if not config.objective.metric.startswith("val/"):
        yield (
            f"objective.metric={config.objective.metric} is not a validation metric: what chooses among runs must not be what "
            "judges them, so name one that begins with val/"
        )
    if config.loss.cost_strength > 0 and not config.loss.costs:
        yield "loss.cost_strength is set but loss.costs is empty: add a cost, for example +loss.costs.positive.normal=5"
    if config.loss.group_robust and config.augment.mixup:
        yield "loss.group_robust weighs images by their group, and augment.mixup makes images of two: choose one of them"
    if config.tracking.uri and urlsplit(config.tracking.uri).password:
        yield (
            "tracking.uri holds a password, and is logged with each run: give it as MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD, or the whole address as MLFLOW_TRACKING_URI"
        )
    if config.tracking.offline and config.tracking.uri:
        yield "tracking.offline keeps runs on this machine, and tracking.uri names another store: choose one of them"
    if config.work.dir and not expanded(config.work.dir).is_absolute():
        yield f"work.dir={config.work.dir} has to be a full path, since jobs may run in other folders"
    for prevalence in config.evaluation.prevalences:
        if not 0 < prevalence < 1:
            yield f"evaluation.prevalences={config.evaluation.prevalences}: {prevalence:g} is not a share of patients"


def _of_data(data: DataConfig) -> Iterator[str]:
    if data.name == "manifest" and data.manifest is None:
        yield "data=manifest needs to know which: add data.manifest=FILE, and data.root=FOLDER where its paths start elsewhere"
    if data.manifest is not None and data.phantom is not None:
        yield "data.manifest needs images of yours, and data=phantom draws its own: choose data=manifest"
    if data.columns.more and data.manifest is None:
        yield "data.columns.more keeps columns of a table: give that as data.manifest=FILE"
    if data.source in ("auto", "folders") and data.root is None and data.phantom is None and data.manifest is None:
        yield f"data={data.name} needs to know where the images are: add data.root=FOLDER"
    yield from _of_layout(data.layout)
    if data.classes is not None and len(set(data.classes)) < 2:
        yield f"data.classes={data.classes} is not enough: name at least two different classes"


def _of_layout(layout: str) -> Iterator[str]:
    roles = layout.split("/")
    if layout != "auto" and (
        not set(roles) <= {*LEVELS, "*"} or roles.count("class") != 1 or any(roles.count(role) > 1 for role in LEVELS)
    ):
        yield (
            f"data.layout={layout} is not known: give auto, or what folders mean from data.root down, by part, class, source, "
            "patient and *, for example part/class"
        )


def _of_split(split: SplitConfig) -> Iterator[str]:
    fractions = f"split.validation ({split.validation:g})"
    if split.method in ("auto", "fractions") and split.validation + split.test >= 1:
        yield f"{fractions} and split.test ({split.test:g}) leave nothing to train on: make their sum less than 1"
    if split.method == "folds" and split.validation + 1 / split.folds >= 1:
        yield f"{fractions} and one of {split.folds} folds leave nothing to train on: lower it"
    if split.method == "folds" and split.fold >= split.folds:
        yield f"split.fold={split.fold} is out of range: {split.folds} folds are numbered 0 to {split.folds - 1}"


def _of_freeze(freeze: FreezeConfig) -> Iterator[str]:
    if freeze.gradual and freeze.warmup_epochs and freeze.trainable_from != "head":
        yield "freeze.gradual takes the place of freeze.warmup_epochs: set freeze.warmup_epochs=0, and head in freeze.gradual"
    for depth, count in freeze.gradual.items():
        if count < 1:
            yield f"freeze.gradual.{depth}={count} is out of range: it must be at least 1 epoch"


def _of_speed(config: Config) -> Iterator[str]:
    views = config.augment.views
    if views != FRESH and not (views.isdecimal() and 0 < int(views) <= 10_000):
        yield (
            f"augment.views={views} is not known: give fresh, for a new view of each image in each epoch, or how many views to "
            "draw once, for example augment.views=8"
        )
    if config.engine.name == "openvino" and config.training.precision != "float32":
        yield (
            f"engine=openvino computes in float32, not in training.precision={config.training.precision}: "
            "choose engine=tensorflow or leave engine at auto"
        )


def _of_backbone(backbone: BackboneConfig) -> Iterator[str]:
    bounds, mean, std = backbone.input_range, backbone.mean, backbone.std
    if bounds is not None and not (len(bounds) == 2 and _are_levels(bounds) and bounds[1] - bounds[0] >= _FINEST):
        yield (
            f"backbone.input_range={bounds} is not a range of grey levels: give [low,high], for example [-1,1], at least "
            f"{_FINEST:g} apart, and none beyond {_LARGEST:,}"
        )
    if (mean is None) != (std is None) or (mean is not None and bounds is not None):
        yield "grey levels need backbone.input_range, or backbone.mean and backbone.std together, or none of them"
    for name, values in (("mean", mean), ("std", std)):
        if values is not None and not (len(values) == 3 and _are_levels(values) and (name == "mean" or min(values) >= _FINEST)):
            yield (
                f"backbone.{name}={values} does not fit: give one number for each of three channels, none beyond {_LARGEST:,}, and "
                f"std of at least {_FINEST:g}"
            )


def _are_levels(values: list[float]) -> bool:
    return all(abs(value) <= _LARGEST for value in values)  # False for nan
