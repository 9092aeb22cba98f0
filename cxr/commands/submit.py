"""`cxr submit [-m] OVERRIDES`: queue a sweep on SLURM and leave."""

import sys

from cxr.commands import experiment
from cxr.commands.arguments import parse

_ON_SLURM = ("hydra/launcher=slurm", "hydra.launcher.wait=false")


def main(arguments: list[str]) -> int:
    """The same as `cxr -m hydra/launcher=slurm hydra.launcher.wait=false OVERRIDES`."""
    args = parse("submit", arguments)
    sys.argv[1:] = ["-m", *_ON_SLURM, *args.overrides]
    return experiment.main(sys.argv[1:])
