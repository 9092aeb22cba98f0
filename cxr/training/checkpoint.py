"""Checkpoints: the state of a training after an epoch, from which an interrupted run resumes."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
from numpy.typing import NDArray

from cxr.model.network import Network
from cxr.training.history import Epoch, History

Arrays = list[NDArray[Any]]


@dataclass(frozen=True)
class State:
    """Everything that later epochs depend on, beside config and data.

    `current` are the values of `moving_variables`, `optimizer` those of what updates remember, and `best` the weights of the
    phase's epoch of lowest validation loss, as `trained_weights` lists them.
    """

    history: History
    current: Arrays
    optimizer: Arrays
    best: Arrays


def moving_variables(network: Network) -> list[keras.Variable]:
    """All variables that training may change: weights of layers that are not frozen, and the state of dropout."""
    return [variable for layer in network.trainee.layers if layer.trainable for variable in layer.variables]


def trained_weights(network: Network) -> list[keras.Variable]:
    """The weights of layers that are not frozen."""
    return [weight for layer in network.trainee.layers if layer.trainable for weight in layer.weights]


def values_of(variables: Sequence[keras.Variable]) -> Arrays:
    """Copies of the variables' values, (...) each."""
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assign(variables: Sequence[keras.Variable], values: Arrays) -> None:
    """Assign the values.

    Args:
        values: (...), shaped like the variables.

    Raises:
        ValueError: Their number or a shape differs.
    """
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def capture(network: Network, memory: Sequence[keras.Variable], history: History, best: Arrays) -> State:
    """The state of a network that is being fitted.

    Args:
        memory: what its updates remember, averages of weights included.
        best: weights, (...), of the best epoch.
    """
    return State(history, values_of(moving_variables(network)), values_of(memory), best)


def save(state: State, path: Path) -> None:
    """Write the state atomically: a reader finds the old or the new state."""
    arrays = {
        f"{name}_{index:04d}": array
        for name in ("current", "optimizer", "best")
        for index, array in enumerate(getattr(state, name))
    }
    course = json.dumps({"best_epoch": state.history.best_epoch, "epochs": [asdict(epoch) for epoch in state.history.epochs]})
    unfinished = path.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.savez(file, history=np.array(course), **arrays)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def load(path: Path) -> State | None:
    """The saved state; None if the file is missing or can't be read. Nothing is ever unpickled."""
    try:
        with np.load(path, allow_pickle=False) as file:
            course = json.loads(str(file["history"]))
            names = sorted(file.files)
            parts = {
                part: [file[name] for name in names if name.startswith(f"{part}_")] for part in ("current", "optimizer", "best")
            }
    except (OSError, ValueError, KeyError, BadZipFile, EOFError):
        return None
    return State(History([Epoch(**epoch) for epoch in course["epochs"]], course["best_epoch"]), **parts)
