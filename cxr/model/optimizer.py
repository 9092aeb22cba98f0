"""The optimizer: its learning rate over time, and a lower rate for the backbone than for the head."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from cxr.config.schema import Config, OptimizerConfig
from cxr.model.freeze import POOLED, stage_of_layers
from cxr.model.keras_private import skip_gradient_sum
from cxr.model.network import Network

_RISING = 100  # updates in which the rate rises where the config leaves that open; a fifth of a shorter phase

_MAKERS: dict[str, Callable[[OptimizerConfig, Any], keras.optimizers.Optimizer]] = {
    "adam": lambda o, rate: keras.optimizers.Adam(rate, weight_decay=o.weight_decay or None),
    "adamw": lambda o, rate: keras.optimizers.AdamW(rate, weight_decay=o.weight_decay),
    "sgd": lambda o, rate: keras.optimizers.SGD(
        rate, momentum=o.momentum, nesterov=o.momentum > 0, weight_decay=o.weight_decay or None
    ),
    "rmsprop": lambda o, rate: keras.optimizers.RMSprop(rate, momentum=o.momentum, weight_decay=o.weight_decay or None),
    "lion": lambda o, rate: keras.optimizers.Lion(rate, weight_decay=o.weight_decay or None),
}


def make_optimizer(
    config: Config, variables: Sequence[keras.Variable], shares: Mapping[str, float], steps: int
) -> keras.optimizers.Optimizer:
    """An optimizer for variables, over a phase of `steps` updates; ready to be applied.

    `shares` has the learning rate of layers as a share of the head's, see `rate_shares`; others have the head's. Each share gets
    its own update rule. In float16 the loss is scaled so that small gradients do not vanish.

    Source:
        Micikevicius et al., "Mixed Precision Training", 2018.
    """
    optimizer = config.optimizer
    used = {shares.get(variable.path.split("/")[0], 1.0) for variable in variables}
    rules = {share: _made(optimizer, share, steps) for share in sorted(used, reverse=True)}
    made = next(iter(rules.values()))
    if len(rules) > 1:
        by_path = {f"{re.escape(name)}/.*": rules[share] for name, share in sorted(shares.items()) if share in rules}
        made = keras.optimizers.MultiOptimizer(keras.optimizers.OptimizerMap(made, by_path))
    if config.training.precision == "mixed_float16":
        made = keras.optimizers.LossScaleOptimizer(made)
    made.build(variables)
    return made


def rate_shares(config: Config, network: Network) -> dict[str, float]:
    """The learning rate of each layer as a share of the head's, by the name that Keras has for it.

    The backbone's is `backbone_rate`, and with `stage_decay` each stage has that share of the rate of the stage above it.

    Source:
        Discriminative fine-tuning: Howard and Ruder, "Universal Language Model Fine-tuning", 2018, section 3.2.
    """
    optimizer, stages, places = config.optimizer, stage_of_layers(network.described), network.architecture.places
    last, head = len(network.described.backbone.stages), places[POOLED]
    rate_of = {}
    for step, layer in zip(network.trainee.operations, network.architecture.layers, strict=True):
        if layer.weights or places[layer.name] >= head:
            below = last - stages.get(layer.name, last)
            share = optimizer.backbone_rate * optimizer.stage_decay**below
            rate_of[step.name] = share if places[layer.name] < head else 1.0
    return rate_of


def _made(optimizer: OptimizerConfig, share: float, steps: int) -> keras.optimizers.Optimizer:
    """One update rule, with a share of the learning rate, over a phase of `steps` updates."""
    wanted = min(_RISING, steps // 5) if optimizer.warmup_steps is None else optimizer.warmup_steps
    rate, rising = optimizer.learning_rate * share, min(wanted, steps)
    falling = max(steps - rising, 1) if optimizer.schedule == "cosine" else 0
    made = _MAKERS[optimizer.name](optimizer, Schedule(rate, rising, falling) if rising or falling else rate)
    # There is one device. TensorFlow registers the gradient of a sum over devices for good, and with it the graph and the weights
    # of a training that is over: some 30 MB a run, which each later run of a sweep would have to carry.
    skip_gradient_sum(made)
    return made


def single_optimizers(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """The update rules that an optimizer is made of, in order of their learning rate, highest (the head's) first."""
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    rules = optimizer.optimizers if isinstance(optimizer, keras.optimizers.MultiOptimizer) else [optimizer]
    return sorted(rules, key=learning_rate, reverse=True)


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """All that an optimizer keeps from step to step, the variables of its parts included, each once."""
    parts = list(getattr(optimizer, "optimizers", []))
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        parts = [optimizer.inner_optimizer]
    variables = [*optimizer.variables, *(variable for part in parts for variable in optimizer_variables(part))]
    return list({id(variable): variable for variable in variables}.values())


def learning_rate(optimizer: keras.optimizers.Optimizer) -> float:
    """The learning rate that the next update will use."""
    return float(keras.ops.convert_to_numpy(optimizer.learning_rate))


class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
    """A rate that rises evenly over `rising` updates and then falls as half a cosine over `falling`; 0 leaves that part out.

    Update k, from 0, has (k + 1) / rising of the rate while it rises (Goyal et al. 2017, section 2.2). The three numbers are
    variables: TensorFlow would fold constants into other operations, which round otherwise.
    """

    def __init__(self, rate: float, rising: int, falling: int) -> None:
        super().__init__()
        numbers = [keras.Variable(number, dtype="float32", trainable=False) for number in (rate, rising, falling)]
        self._rate, self._rising, self._rises = numbers[0], numbers[1], rising > 0
        self._cosine = keras.optimizers.schedules.CosineDecay(numbers[0], numbers[2]) if falling else None

    def __call__(self, step: Any) -> Any:
        """The rate of an update."""
        rate, rising, step = self._rate.value, self._rising.value, keras.ops.cast(step, "float32")
        after = self._cosine(keras.ops.maximum(step - rising, 0.0)) if self._cosine else rate
        return keras.ops.where(step < rising, rate * (step + 1) / rising, after) if self._rises else after

    def get_config(self) -> dict[str, Any]:
        """What Keras would save; `cxr` saves no optimizer."""
        return {}
