"""Compiled steps of a phase: jobs of a process that differ in numbers alone train with those of an earlier job."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from cxr.config.schema import Config
from cxr.model.losses.registry import Loss, NumberedLoss
from cxr.model.network import Network
from cxr.model.optimizer import make_optimizer, optimizer_form, optimizer_numbers, rate_shares
from cxr.model.partition import Partition, partition, pooled_part
from cxr.training.checkpoint import assign, values_of
from cxr.training.group_robust import GroupWeights
from cxr.training.inputs import Inputs
from cxr.training.steps import Steps, xla_pays
from cxr.training.update import update_of

_MOST = 4  # phases that are kept: two depths, each with a head that warms up


@dataclass(frozen=True)
class Compiled:
    """A network as one phase trains it, with an optimizer that has made no update yet."""

    parts: Partition | None
    optimizer: keras.optimizers.Optimizer
    steps: Steps


@dataclass(frozen=True)
class _Kept:
    trainee: keras.Model
    form: tuple[object, ...]
    loss: NumberedLoss
    compiled: Compiled


_kept: list[_Kept] = []  # of the latest network, the latest phase first


def compiled_for(
    network: Network,
    first: str,
    config: Config,
    updates: int,
    loss: Loss,
    targets: NDArray[np.float32],
    groups: GroupWeights | None,
    inputs_of: Callable[[Partition | None], Inputs],
    split: bool,
) -> Compiled:
    """The steps of a phase of so many updates that trains `network` from the layer `first`, which has been set free.

    With `split` they take what the layers below give. Steps of an earlier phase are taken over where only numbers differ: values of
    weights, rates, the weights and costs of classes, the numbers of focal loss and smoothing, the seed. They then have the loss of
    this phase, an optimizer as new, and its inputs. Weight averages and group weights have a memory of their own and share nothing.
    """
    shares = rate_shares(config, network)
    variables = network.trainee.trainable_variables
    optimizer, form_of_optimizer = (make(config, variables, shares, updates) for make in (make_optimizer, optimizer_form))
    form = (first, split, network.freedom, form_of_optimizer, *_more(config, updates), _form_of(loss))
    known = next((each for each in _kept if each.trainee is network.trainee and each.form == form), None)
    if known is not None and isinstance(loss, NumberedLoss):
        assign(known.loss.numbers, values_of(loss.numbers))
        assign(optimizer_numbers(known.compiled.optimizer), values_of(optimizer_numbers(optimizer)))
        _keep(known)
        return replace(known.compiled, steps=known.compiled.steps.on(inputs_of(known.compiled.parts), targets))
    parts = partition(network, first) if split else None
    part, body = (parts.trainable if parts else network.trainee), pooled_part(network.trainee, parts)
    xla = xla_pays(config, updates)
    steps = Steps(part, inputs_of(parts), targets, loss, optimizer, update_of(config), xla, groups, body)
    made = Compiled(parts, optimizer, steps)
    if isinstance(loss, NumberedLoss) and groups is None and not config.training.weight_average:
        _keep(_Kept(network.trainee, form, loss, made))
    return made


def _keep(latest: _Kept) -> None:
    """Remember a phase, and forget those of other networks and what is more than `_MOST`."""
    others = [each for each in _kept if each is not latest and each.trainee is latest.trainee]
    _kept[:] = [latest, *others[: _MOST - 1]]


def _form_of(loss: Loss) -> object:
    return loss.form if isinstance(loss, NumberedLoss) else None


def _more(config: Config, updates: int) -> tuple[Any, ...]:
    """What an update does beside its optimizer's step, and how it is traced and compiled; mixup draws from the seed."""
    more = update_of(config)
    seed = more.seed if more.mixup else 0
    return replace(more, seed=seed), config.loss.group_robust, config.training.deterministic, xla_pays(config, updates)
