"""The loss that a config names: `loss.formula` is the name of a file in this folder, or of an entry point in `cxr.losses`.

Names come from the folder and from installed packages alone, so a wrong one is rejected before Keras is imported. To add a loss,
add a file with a function `make_loss` like that of weighted_cross_entropy.py, or an entry point that names such a function.
"""

from collections.abc import Callable
from importlib import import_module
from math import isfinite
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from cxr.config.extensions import LOSSES, installed, load
from cxr.config.schema import LossConfig
from cxr.errors import UserError
from cxr.text import nearest

# One-hot targets and logits, both (n, classes), to one value an image, (n,).
Loss = Callable[[Any, Any], Any]


def loss_names() -> list[str]:
    """The losses that there are, sorted."""
    return sorted({*_own_losses(), *installed(LOSSES)})


def _own_losses() -> list[str]:
    return [path.stem for path in Path(__file__).parent.glob("*.py") if path.stem not in ("__init__", "registry")]


def check_loss(config: LossConfig) -> None:
    """Raise `UserError` for a formula that is not there, and for a value of `loss.more` that is no number."""
    if config.formula not in loss_names():
        raise UserError(f"loss.formula={config.formula} is not known: {nearest(config.formula, loss_names())}")
    for name, value in config.more.items():
        if not isfinite(value):
            raise UserError(f"loss.more.{name}={value} is not a number")


def make_loss(config: LossConfig, weights: NDArray[Any], costs: NDArray[Any]) -> Loss:
    """The Keras loss of a config.

    Args:
        weights: (classes,).
        costs: (classes, classes), of each true and predicted class.
    """
    own = config.formula in _own_losses()
    make = import_module(f"cxr.model.losses.{config.formula}").make_loss if own else load(LOSSES, config.formula)
    made: Loss = make(config, weights, costs)
    return made
