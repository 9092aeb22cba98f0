"""What a run would learn from and how, with the reasons, before it starts."""

from cxr.config.schema import Config, EvaluationConfig
from cxr.data.augment import changes_nothing
from cxr.data.dataset import Dataset
from cxr.evaluation.roles import roles_of
from cxr.model.backbones.registry import describe
from cxr.model.freeze import HEAD
from cxr.run.prepared import PreparedRun
from cxr.system import cores
from cxr.text import pluralize

_SKEWED = 5  # training images of the most frequent class for one of the rarest, from which plain loss neglects the rarest
_ENOUGH = 1000  # training images from which half of a backbone is worth training: see docs/results.md
_FEW = 30  # images of a class, below which an interval of its sensitivity is wider than 0.3


def rationale_of_data(dataset: Dataset, evaluation: EvaluationConfig) -> list[str]:
    """Lines on images, classes, roles and imbalance, and what to do about them."""
    manifest, classes = dataset.manifest, dataset.classes
    counts = {name: int((manifest["label"] == name).sum()) for name in classes}
    parts = [f"{int((manifest['split'] == part).sum()):,} {part}" for part in dataset.parts]
    lines = [
        f"images: {len(manifest):,} of {pluralize(len(classes), 'class', 'classes')}, "
        f"{', '.join(f'{count:,} {name}' for name, count in counts.items())}; {', '.join(parts)}"
    ]
    roles = roles_of(evaluation, classes)
    normal = "no class is normal" if roles.normal_class is None else f"{classes[roles.normal_class]} is the normal class"
    if roles.positive_class is None:
        lines.append(f"roles: {normal}; {roles.why_not}, for thresholds, triage and loss=cost")
    else:
        lines.append(f"roles: {classes[roles.positive_class]} is the positive class, {normal} (evaluation.urgent, .routine)")
    train, last = dataset.train_counts(), manifest["split"] == dataset.parts[-1]
    if (skew := max(train) / max(1, min(train))) >= _SKEWED:
        rarest = classes[train.index(min(train))]
        lines.append(
            f"imbalance: {skew:.0f} training images of the largest class for one of {rarest}; loss=balanced weighs them alike"
        )
    evaluated = {name: int((manifest["label"][last] == name).sum()) for name in classes}
    if few := [f"{count} of {name}" for name, count in evaluated.items() if count < _FEW]:
        lines.append(f"few images evaluate: {', '.join(few)}; -m split=kfold split.fold=0,1,2,3,4 evaluates on all of them")
    return lines


def rationale_of_recipe(prepared: PreparedRun) -> list[str]:
    """Lines on network, depth, epochs, learning rate and augmentation of a resolved config, and on the machine."""
    config = prepared.config
    backbone, optimizer, training = config.backbone, config.optimizer, config.training
    weights = "random weights" if backbone.weights == "none" else f"weights {backbone.weights}"
    patience = training.early_stopping_patience
    end = f", fewer if validation loss has not fallen for {patience}" if patience else ""
    return [
        f"network: {describe(backbone).backbone.title}, {backbone.image_size} px, {weights}; {_depth(config, prepared.dataset)}",
        f"training: up to {pluralize(training.epochs, 'epoch')} of batches of {training.batch_size}{end}; loss={config.loss.name}, "
        f"{'no augmentation' if changes_nothing(config.augment) else f'augment={config.augment.name}'}",
        f"learning rate: {optimizer.name}, {optimizer.learning_rate:g} {optimizer.schedule}"
        + ("" if config.freeze.trainable_from == HEAD else f", {optimizer.backbone_rate:g} of it for the backbone"),
        f"machine: {pluralize(training.threads or cores(), 'core')}",
    ]


def _depth(config: Config, dataset: Dataset) -> str:
    images = sum(dataset.train_counts())
    if config.freeze.trainable_from != HEAD:
        few = f", which takes about {_ENOUGH:,} training images, and there are {images:,}" if images < _ENOUGH else ""
        return f"trains from {config.freeze.trainable_from} up{few}"
    more = f"; {images:,} training images are enough for experiment=fine_tuned, which takes longer" if images >= _ENOUGH else ""
    return f"only the head trains: fastest{more}"
