"""The optimizer: its learning rate over time, and a lower rate for the backbone than for the head."""

import re
from collections.abc import Callable
from typing import Any

import keras

from cxr.config.schema import Config, OptimizerConfig
from cxr.model.freeze import HEAD, block_of

_MAKERS: dict[str, Callable[[OptimizerConfig, Any], keras.optimizers.Optimizer]] = {
    "adam": lambda o, rate: keras.optimizers.Adam(rate, weight_decay=o.weight_decay or None),
    "adamw": lambda o, rate: keras.optimizers.AdamW(rate, weight_decay=o.weight_decay),
    "sgd": lambda o, rate: keras.optimizers.SGD(
        rate, momentum=o.momentum, nesterov=o.momentum > 0, weight_decay=o.weight_decay or None
    ),
    "rmsprop": lambda o, rate: keras.optimizers.RMSprop(rate, momentum=o.momentum, weight_decay=o.weight_decay or None),
    "lion": lambda o, rate: keras.optimizers.Lion(rate, weight_decay=o.weight_decay or None),
}


def make_optimizer(config: Config, network: keras.Model, steps: int) -> keras.optimizers.Optimizer:
    """An optimizer for the trainable variables of a flat network, over a phase of `steps` updates; ready to be applied.

    If part of the backbone trains, it gets its own update rule at `backbone_rate` times the head's learning rate.
    In float16 the loss is scaled so that small gradients do not vanish (Micikevicius et al., "Mixed Precision Training", 2018).
    """
    optimizer, variables = config.optimizer, network.trainable_variables
    head_layers = {layer.name for layer in network.layers if block_of(layer.name) == HEAD}
    made = _made(optimizer, _rate(optimizer, 1.0, steps))
    if not all(variable.path.split("/")[0] in head_layers for variable in variables):
        backbone = _made(optimizer, _rate(optimizer, optimizer.backbone_rate, steps))
        by_path = {f"{re.escape(name)}/.*": made for name in sorted(head_layers)}
        made = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(backbone, by_path))
    if config.training.precision == "mixed_float16":
        made = keras.optimizers.LossScaleOptimizer(made)
    made.build(variables)
    return made


def _made(optimizer: OptimizerConfig, rate: Any) -> keras.optimizers.Optimizer:
    """One update rule, without the sum of gradients over devices, of which there is one.

    TensorFlow registers that sum's own gradient for good, and with it the graph and the weights of a training that is over:
    some 30 MB a run, which each later run of a sweep would have to carry.
    """
    made = _MAKERS[optimizer.name](optimizer, rate)
    made._all_reduce_sum_gradients = list
    return made


def single_optimizers(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """The update rules that an optimizer is made of, in order of their learning rate, highest (the head's) first."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        return single_optimizers(optimizer.inner_optimizer)
    parts = optimizer.optimizers if isinstance(optimizer, keras.optimizers.MultiOptimizer) else [optimizer]
    return sorted(parts, key=learning_rate, reverse=True)


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """All that an optimizer remembers from step to step, the variables of its parts included, each once."""
    parts = list(getattr(optimizer, "optimizers", []))
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        parts = [optimizer.inner_optimizer]
    found = [*optimizer.variables, *(variable for part in parts for variable in optimizer_variables(part))]
    return list({id(variable): variable for variable in found}.values())


def learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """The learning rate that the next update will use."""
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


def _rate(optimizer: OptimizerConfig, share: float, steps: int) -> Any:
    rate = optimizer.learning_rate * share
    return keras.optimizers.schedules.CosineDecay(rate, steps) if optimizer.schedule == "cosine" else rate
