"""The phases of a run: warm-up of the head alone or gradual unfreezing, then fine-tuning."""

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
    """The phases of a resolved config; their epochs add up to `training.epochs`.

    Source:
        Gradual unfreezing: Howard and Ruder, "Universal Language Model Fine-tuning", 2018, section 3.3.

    >>> from cxr.config.schema import FreezeConfig, TrainingConfig
    >>> deep = Config(freeze=FreezeConfig(trainable_from="block_13", warmup_epochs=3), training=TrainingConfig(epochs=10))
    >>> [(phase.name, phase.epochs) for phase in plan_phases(deep)]
    [('head warm-up', 3), ('fine-tuning', 7)]
    >>> deep.freeze.warmup_epochs, deep.freeze.gradual = 0, {"head": 1, "block_16": 2}
    >>> [(phase.name, phase.trainable_from, phase.epochs) for phase in plan_phases(deep)]
    [('from head', 'head', 1), ('from block_16', 'block_16', 2), ('fine-tuning', 'block_13', 7)]
    """
    freeze, epochs = config.freeze, config.training.epochs
    if freeze.gradual:
        before = [Phase(f"from {depth}", depth, count) for depth, count in freeze.gradual.items()]
        return [*before, Phase("fine-tuning", freeze.trainable_from, epochs - sum(freeze.gradual.values()))]
    if freeze.trainable_from == HEAD:
        return [Phase("head only", HEAD, epochs)]
    warmup = [Phase("head warm-up", HEAD, freeze.warmup_epochs)] if freeze.warmup_epochs else []
    return [*warmup, Phase("fine-tuning", freeze.trainable_from, epochs - freeze.warmup_epochs)]
