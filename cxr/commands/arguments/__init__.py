"""The arguments of each command: parsed, and wrong ones rejected, before the command and its libraries are imported."""

import argparse

from cxr.commands.arguments import models, project, runs, sweeps

PARSERS = {**runs.PARSERS, **models.PARSERS, **sweeps.PARSERS, **project.PARSERS}


def parse(command: str, arguments: list[str]) -> argparse.Namespace:
    """The parsed arguments of a command. Exits with 2 for wrong ones, and with 0 after `--help`."""
    return PARSERS[command]().parse_intermixed_args(arguments)
