"""The phases of a run: warm-up of the head alone, then fine-tuning."""

from dataclasses import dataclass

from cxr.config.schema import Config
from cxr.model.freeze import HEAD


@dataclass(frozen=True)
class Phase:
    """Epochs with the same trainable layers."""

    name: str  # as figures and printed lines call it
    trainable_from: str
    epochs: int


def plan_phases(config: Config) -> list[Phase]:
    """The phases of a config; their epochs add up to `training.epochs`.

    >>> from cxr.config.schema import FreezeConfig, TrainingConfig
    >>> deep = Config(freeze=FreezeConfig(trainable_from="block_13", warmup_epochs=3), training=TrainingConfig(epochs=10))
    >>> [(phase.name, phase.epochs) for phase in plan_phases(deep)]
    [('head warm-up', 3), ('fine-tuning', 7)]
    """
    freeze, epochs = config.freeze, config.training.epochs
    if freeze.trainable_from == HEAD:
        return [Phase("head only", HEAD, epochs)]
    warmup = [Phase("head warm-up", HEAD, freeze.warmup_epochs)] if freeze.warmup_epochs else []
    return [*warmup, Phase("fine-tuning", freeze.trainable_from, epochs - freeze.warmup_epochs)]
