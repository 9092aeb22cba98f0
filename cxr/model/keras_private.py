"""Whatever leans on parts of Keras that it does not document, each use by name: another version of Keras may change them.

`tests/model/test_keras_private.py` says which one changed. Nothing here imports Keras: weights are checked before it is.
"""

from collections.abc import Callable, Iterator
from typing import Any

import h5py

CONFIG, WEIGHTS = "config.json", "model.weights.h5"  # members of a `.keras` file


def source_of(tensor: Any) -> Any:
    """The step (a layer or an operation) that makes a symbolic tensor."""
    return tensor._keras_history.operation


def sources_of(step: Any) -> list[Any]:
    """The steps that make the inputs of a step of a flat network, one for each input, in all its uses."""
    return [source_of(tensor) for node in step._inbound_nodes for tensor in node.input_tensors]


def run_steps(network: Any, value: Any, step_function: Callable[[Any], Callable[..., Any]]) -> Any:
    """The one output of a functional network on one input, where `step_function(step)` is called in place of each step."""
    output = network._run_through_graph([value], operation_fn=step_function)
    while isinstance(output, list | tuple):
        (output,) = output
    return output


def takes_training(step: Any) -> bool:
    """Whether a step computes other values in training, so that it is called with `training`."""
    return bool(getattr(step, "_call_has_training_arg", False))


def skip_gradient_sum(optimizer: Any) -> None:
    """Have an optimizer take gradients as they are, without their sum over devices."""
    optimizer._all_reduce_sum_gradients = list


def tensors_in(node: Any) -> Iterator[tuple[str, int]]:
    """The layer that makes each input in the `inbound_nodes` of a layer in `CONFIG`, by name, and the rank of that input."""
    if isinstance(node, dict) and node.get("class_name") == "__keras_tensor__":
        yield str(node["config"]["keras_history"][0]), len(node["config"]["shape"])
    elif isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            yield from tensors_in(item)


def weight_groups(file: h5py.File) -> dict[str, h5py.Group]:
    """Each layer's weights in `WEIGHTS`: a group `vars` has the layer's name, and arrays numbered from 0."""
    groups: dict[str, h5py.Group] = {}

    def visit(path: str, item: Any) -> None:
        is_layer = isinstance(item, h5py.Group) and path.endswith("/vars") and not path.startswith("optimizer")
        if is_layer and len(item) and "name" in item.attrs:
            groups[str(item.attrs["name"])] = item

    file.visititems(visit)
    return groups


def weight_shapes(file: h5py.File) -> dict[str, tuple[tuple[int, ...], ...]]:
    """The shapes of each layer's weights in `WEIGHTS`."""
    return {name: tuple(group[key].shape for key in sorted(group, key=int)) for name, group in weight_groups(file).items()}


def has_keras_3_layout(file: h5py.File) -> bool:
    """Whether a weights file is written by Keras 3, which reads it by a name that ends in .weights.h5."""
    return "layers" in file
