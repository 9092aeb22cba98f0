"""What a run starts from: images, weights and config, found, checked against each other and read before TensorFlow is imported."""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from cxr.config import Config
from cxr.errors import Mistake, RunFailed
from cxr.progress import Progress
from cxr.recipe import Recipe
from cxr.study import Study
from cxr.words import nearest

if TYPE_CHECKING:
    import pandas as pd

    from cxr.cache.cache import Cache


def prepare(
    config: Config,
    recipe: Recipe,
    progress: Progress,
    manifest: "pd.DataFrame | None" = None,
    cache_folder: Path | None = None,
) -> Study:
    """Find weights and images, check that they fit the config and each other, and read the images.

    What is kept to save time lies in `cache_folder`, or in this user's cache.
    """
    from cxr.comparison.baseline import earned_role
    from cxr.data.locate import locate_images

    config, recipe, other = earned_role(config, recipe)
    if other:
        progress.line(f"This run is no frozen-head baseline but a candidate, since it has {other}")
    images = locate_images(config.data, progress.stage, manifest)
    if manifest is None:
        from cxr.data.split import check_split

        check_split(images, config.split)
    from cxr.costs import cost_matrix
    from cxr.model.weights import locate_weights

    weights = locate_weights(config.backbone)
    cost_matrix(config.loss.costs, images.classes, "loss.costs")  # raises for a class that the data does not have
    if config.engine.name == "openvino" and find_spec("openvino") is None:
        raise Mistake("engine=openvino needs a package that is not here: pip install openvino, or leave engine at auto")
    from cxr.evaluation.assessment import check_evaluation
    from cxr.evaluation.metrics import metric_names

    check_evaluation(config.evaluation, images.classes, config.data.columns.more)
    if config.objective.metric.removeprefix("val/") not in (known := metric_names(images.classes)):
        hint = nearest(config.objective.metric, [f"val/{name}" for name in known])
        raise Mistake(f"objective.metric={config.objective.metric} is not a metric of these classes: {hint}")
    from cxr.data.dataset import read_dataset
    from cxr.tracking.limits import check_metric_names, check_names

    check_metric_names(known)
    check_names(config.tracking.experiment, config.tracking.run_name)
    cache = cache_of(config, progress, cache_folder)
    return Study(config, recipe, read_dataset(config, images, progress.stage, cache, manifest), weights, cache)


def read_again(study: Study, progress: Progress) -> Study:
    """The same study with its images read anew; raises `RunFailed` where they are others by now."""
    from cxr.data.decoded import forget_images

    forget_images()
    manifest = study.dataset.manifest
    again = prepare(study.config, study.recipe, progress, manifest, study.cache.folder if study.cache else None)
    if not again.dataset.manifest.equals(manifest):
        raise RunFailed("the images changed while the run was under way: give the same command again")
    return again


def cache_of(config: Config, progress: Progress, folder: Path | None = None) -> "Cache | None":
    """The cache that a run uses, unless it asks for the plain loop."""
    from cxr.cache.cache import Cache, default_folder

    if not config.training.cache:
        return None
    return Cache(
        folder or default_folder(),
        int(config.training.cache_limit_gb * 1e9),
        lambda text: progress.console.print(f"cxr: {text}"),
    )
