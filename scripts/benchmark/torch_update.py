"""The same update by PyTorch, where it is installed, in a process of its own: it can't be loaded beside TensorFlow.

Run as a script it reads lines; for each it does some updates, and writes how many seconds they took.
"""

import subprocess
import sys
import time
from importlib.util import find_spec
from typing import Any

# (channels given, made, stride) of the blocks of MobileNetV2 that train, from each depth up (Sandler et al. 2018, table 2).
_LAST_STAGE = ((96, 160, 2), (160, 160, 1), (160, 160, 1), (160, 320, 1))
BLOCKS = {"last_stage": _LAST_STAGE, "half": ((64, 64, 1), (64, 64, 1), (64, 96, 1), (96, 96, 1), (96, 96, 1), *_LAST_STAGE)}
_WIDER, _LAST, _CLASSES, _SIDE = 6, 1280, 3, 14


class TorchUpdates:
    """PyTorch at one depth; `seconds` is None where it is not installed."""

    def __init__(self, depth: str, batch: int, updates: int, threads: int) -> None:
        self._process = None
        if find_spec("torch") is not None:
            arguments = [sys.executable, __file__, depth, *map(str, (batch, updates, threads))]
            self._process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def seconds(self) -> float | None:
        """Do all updates once."""
        if self._process is None:
            return None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print("again", file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def end(self) -> None:
        """Let the process go."""
        if self._process is not None:
            self._process.communicate()


def _network(depth: str) -> tuple[Any, list[Any]]:
    """The blocks as a function of activations, channels last in memory, and what trains.

    Normalisations are fixed and folded into the convolutions, as in `cxr.model.fused_batch_norm`.
    """
    import torch
    from torch.nn import functional

    weights: list[Any] = []

    def convolution(given: int, made: int, side: int = 1, stride: int = 1) -> Any:
        groups = given if side > 1 else 1
        kernel = (0.05 * torch.randn(made, given // groups, side, side)).contiguous(memory_format=torch.channels_last)
        weights.append(kernel.requires_grad_())
        scale, shift = torch.ones(made, 1, 1, 1), torch.zeros(made)
        return lambda values: functional.conv2d(values, kernel * scale, shift, stride, side // 2, groups=groups)

    def block(given: int, made: int, stride: int) -> Any:
        wide = _WIDER * given
        expand, spread, project = convolution(given, wide), convolution(wide, wide, 3, stride), convolution(wide, made)

        def forward(values: Any) -> Any:
            found = project(functional.relu6(spread(functional.relu6(expand(values)))))
            return values + found if stride == 1 and given == made else found

        return forward

    blocks, last = [block(*each) for each in BLOCKS[depth]], convolution(BLOCKS[depth][-1][1], _LAST)
    head = (0.05 * torch.randn(_LAST, _CLASSES)).requires_grad_()
    weights.append(head)

    def logits(values: Any) -> Any:
        for each in blocks:
            values = each(values)
        return functional.relu6(last(values)).mean((2, 3)) @ head

    return logits, weights


def _serve(depth: str, batch: int, updates: int, threads: int) -> None:
    import torch

    torch.set_num_threads(threads)
    logits, weights = _network(depth)
    values = torch.randn(batch, BLOCKS[depth][0][0], _SIDE, _SIDE).contiguous(memory_format=torch.channels_last)
    labels, optimizer = torch.arange(batch) % _CLASSES, torch.optim.Adam(weights, 1e-4)
    for _ in sys.stdin:
        started = time.perf_counter()
        for _ in range(updates):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(logits(values), labels).backward()
            optimizer.step()
        print(time.perf_counter() - started, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], *map(int, sys.argv[2:]))
