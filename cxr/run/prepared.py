"""The inputs of a run: config, images and weights, checked against each other and read before TensorFlow is imported."""

from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from omegaconf import OmegaConf

from cxr.anatomy.lung_masks import masks_hash
from cxr.anatomy.lung_network import network_hash
from cxr.cache.store import Cache, default_folder
from cxr.compare.baseline import earned_role
from cxr.config.costs import cost_matrix
from cxr.config.fields import flat_params
from cxr.config.provenance import Provenance
from cxr.config.schema import Config
from cxr.data.augment import changes_nothing, check_augment
from cxr.data.dataset import Dataset, read_dataset
from cxr.data.image_list import ImageList
from cxr.data.images.store import forget_images
from cxr.data.manifest import data_fingerprint, more_columns, split_fingerprint
from cxr.data.profile_copy import profile_copy
from cxr.data.sources.locate import is_among_images, locate_images
from cxr.data.split import check_split, split_for, split_note
from cxr.errors import RunFailed, UserError
from cxr.evaluation.assessment import check_evaluation, subgroup_columns
from cxr.evaluation.metrics import WITHOUT_SHORTCUT, WORST_GROUP_AUC, metric_names
from cxr.evaluation.roles import with_costs_by_class
from cxr.model.backbones.keras_file import file_sha256
from cxr.model.losses.registry import check_loss
from cxr.model.resolve import resolve
from cxr.model.weights import Weights, locate_weights
from cxr.progress import Progress
from cxr.run.origin import MODEL, check_ingredients, with_ingredients, with_origin
from cxr.stages.basis import Inputs, check_settings, result_tags
from cxr.stages.table import File
from cxr.text import nearest
from cxr.tracking.limits import check_metric_names, check_names
from cxr.tracking.store import FOLDER, Store, locate_store, work_folder


@dataclass(frozen=True)
class PreparedRun:
    """A run whose config, images and weights were read and checked. `cache` is None for the plain loop."""

    config: Config
    provenance: Provenance
    dataset: Dataset
    weights: Weights
    cache: Cache | None
    root: Path  # of the images
    store: Store  # that the run goes to
    ingredients: tuple[Path, ...] = ()  # saved models whose weights are averaged in place of a training

    @cached_property
    def inputs(self) -> Inputs:
        """What its results rest on."""
        network, manifest = file_sha256(self.config.backbone), self.dataset.manifest
        return inputs_of(self.config, manifest, self.root, self.weights.sha256, network)

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """What the run is a function of, as tags: settings, images, split, code and libraries."""
        manifest = self.dataset.manifest
        data = {"cxr.data_fingerprint": data_fingerprint(manifest), "cxr.split_fingerprint": split_fingerprint(manifest)}
        return data | result_tags(self.inputs)

    @cached_property
    def profile(self) -> Path | None:
        """The page that `cxr data profile` wrote of these images, if it did and the cache still has it."""
        copy = profile_copy(self.cache.folder, data_fingerprint(self.dataset.manifest)) if self.cache else None
        return copy if copy and copy.is_file() else None


def inputs_of(config: Config, manifest: pd.DataFrame, root: Path, weights: str | None, network: str | None = None) -> Inputs:
    """What the results of a resolved config rest on.

    Args:
        manifest: of the images.
        weights, network: hashes of the files that the config names.
    """
    files = {File.WEIGHTS: weights or config.backbone.weights, File.NETWORK: network or "", File.LUNGS: network_hash()}
    params = flat_params(config)
    check_settings(list(params))
    return Inputs(params, manifest, files, lambda: masks_hash(config.data, root, manifest))


def prepare(
    config: Config,
    provenance: Provenance,
    progress: Progress,
    manifest: pd.DataFrame | None = None,
    cache_folder: Path | None = None,
    store: Store | None = None,
) -> PreparedRun:
    """Find weights and images, check that they fit the config and each other, and read the images.

    Args:
        manifest: a logged one, whose images and split the run uses.
        cache_folder: else this user's cache folder.
        store: else the one that the config names.

    Raises:
        UserError: Something does not fit.
    """
    store = store or locate_store(config.tracking, config.work)
    config, provenance, other = earned_role(config, provenance)
    if other:
        progress.line(f"This run is no frozen-head baseline but a candidate, since it has {other}")
    _check_names(config)
    config, of_run = with_origin(config, store)
    config, soup = with_ingredients(config, store)
    resolved = resolve(config)
    config = resolved.config
    for note in resolved.notes:
        progress.line(note)
    _check_place(config)
    images = locate_images(config.data, progress.stage, manifest)
    config, provenance = _with_split(config, provenance, images)
    if manifest is None:
        for note in [*images.notes(), *split_note(config.split, images)]:
            progress.line(note)
        check_split(images, config.split)
    weights = locate_weights(config.backbone, of_run)
    config = with_costs_by_class(config, images.classes)
    _check_classes(config, images)
    cache = cache_of(config, progress, cache_folder)
    dataset = read_dataset(config, images, progress.stage, cache, manifest)
    if config.data.grey != dataset.grey:
        progress.line(f"Deep images: {dataset.grey} bits, chosen over all of them (data.grey)")
        config = replace(config, data=replace(config.data, grey=dataset.grey))
    check_ingredients(soup, config, data_fingerprint(dataset.manifest), split_fingerprint(dataset.manifest))
    return PreparedRun(config, provenance, dataset, weights, cache, images.root, store, tuple(run.file(MODEL) for run in soup))


def _with_split(config: Config, provenance: Provenance, images: ImageList) -> tuple[Config, Provenance]:
    """The same with the split that these images get, in what is logged too."""
    split = split_for(config.split, images)
    if split == config.split and provenance.choices.get("split") != "auto":
        return config, provenance
    composed = OmegaConf.merge(OmegaConf.create(provenance.yaml), {"split": asdict(split)})
    choices = provenance.choices | {"split": split.name}
    return replace(config, split=split), replace(provenance, choices=choices, yaml=OmegaConf.to_yaml(composed))


def read_again(prepared: PreparedRun, progress: Progress) -> PreparedRun:
    """The same run with its images read again.

    Raises:
        RunFailed: The images have changed.
    """
    forget_images()
    manifest = prepared.dataset.manifest
    folder = prepared.cache.folder if prepared.cache else None
    again = prepare(prepared.config, prepared.provenance, progress, manifest, folder, prepared.store)
    if not again.dataset.manifest.equals(manifest):
        raise RunFailed("the images changed while the run was under way: give the same command again")
    return again


def cache_of(config: Config, progress: Progress, folder: Path | None = None) -> Cache | None:
    """The cache that a run uses; none with `training.cache=off`."""
    if not config.training.cache:
        return None
    limit = int(config.training.cache_limit_gb * 1e9)
    return Cache(folder or default_folder(), limit, lambda text: progress.console.print(f"cxr: {text}"))


def _check_place(config: Config) -> None:
    """Raise `UserError` where runs, or what is under way, would be kept among the class folders of `data.root`."""
    for place in (FOLDER, work_folder(config.work)):
        if is_among_images(place, config.data):
            raise UserError(f"runs would be kept in {place.resolve()}, among the images: give the command in another folder")


def _check_names(config: Config) -> None:
    """Raise `UserError` for a loss or an augmentation that is not there, or another setting that no library here can do."""
    check_loss(config.loss)
    check_augment(config.augment)
    check_names(config.tracking.experiment, config.tracking.run_name)
    if find_spec("openvino") is None:
        _check_without_openvino(config)


def _check_without_openvino(config: Config) -> None:
    """Raise `UserError` for what OpenVINO does: TensorFlow computes the frozen part too, but nothing else moves images."""
    lacking = "a package that is not installed: pip install openvino, or"
    if config.engine.name == "openvino":
        raise UserError(f"engine=openvino needs {lacking} leave engine at auto")
    if not changes_nothing(config.augment):
        raise UserError(f"augment={config.augment.name} needs {lacking} choose augment=none")
    if config.evaluation.views > 1:
        raise UserError(f"evaluation.views={config.evaluation.views} needs {lacking} leave it at 1")


def _check_classes(config: Config, images: ImageList) -> None:
    """Raise `UserError` where the config names a class, a metric or a column that the data does not have."""
    classes = images.classes
    cost_matrix(config.loss.costs, classes, "loss.costs")
    check_evaluation(config.evaluation, classes, more_columns(images.images))
    known = metric_names(classes)
    if config.objective.metric == WITHOUT_SHORTCUT:
        if not config.audit.images:
            raise UserError(
                f"objective.metric={WITHOUT_SHORTCUT} comes from an audit, and the run has no audit: choose audit=standard"
            )
    elif config.objective.metric == f"val/{WORST_GROUP_AUC}":
        known_now = images.images.nunique().reindex(subgroup_columns(config, images.images), fill_value=2)  # others are read later
        if not (known_now > 1).any():
            raise UserError(
                f"objective.metric={config.objective.metric} needs subgroups, and all images are of one: "
                "data.columns.more=[sex] keeps a column of a table"
            )
    elif config.objective.metric.removeprefix("val/") not in known:
        hint = nearest(config.objective.metric, [f"val/{name}" for name in known])
        raise UserError(f"objective.metric={config.objective.metric} is not a metric of these classes: {hint}")
    check_metric_names(known)
