"""The entrypoint: a plain Hydra app, unless the first argument is a command; every mistake ends in one line and exit code 2."""

import os
import signal
import sys
from importlib import import_module
from types import FrameType
from typing import NoReturn

from cxr.errors import Mistake
from cxr.options import usage
from cxr.words import nearest

# Each is a module of cxr.commands with a function main(arguments) -> None.
COMMANDS = ("ui",)
MISTAKE, FAILED, INTERRUPTED = 2, 1, 130


def main() -> NoReturn:
    """Run what this process' arguments ask for, and exit."""
    signal.signal(signal.SIGTERM, _as_interrupt)
    try:
        sys.exit(_run(sys.argv[1:]))
    except Mistake as mistake:
        _complain(mistake)
        sys.exit(MISTAKE)
    except KeyboardInterrupt:
        print("cxr: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _run(arguments: list[str]) -> int:
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        import_module(f"cxr.commands.{first}").main(arguments[1:])
        return 0
    if {"--help", "-h"} & set(arguments):
        print(usage())
        return 0
    if first and first[0].isalpha() and "=" not in first:
        raise Mistake(f"there is no command {first}: {nearest(first, COMMANDS)}; to choose an option write group=option")
    return _run_experiments()


def _run_experiments() -> int:
    """One job, or each job of a sweep; a job that fails does not keep the next from running. Returns the exit code."""
    import traceback

    from omegaconf import DictConfig

    from cxr.composition import compose_and_call, recipe_of, typed
    from cxr.experiment import run_experiment

    show_all = "HYDRA_FULL_ERROR" in os.environ
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors on instead of printing and exiting
    exit_code = 0

    def job(composed: DictConfig) -> None:
        nonlocal exit_code
        try:
            run_experiment(typed(composed), recipe_of(composed))
        except Mistake as mistake:
            if show_all:
                traceback.print_exc()
            _complain(mistake)
            exit_code = exit_code or MISTAKE
        except Exception as error:
            traceback.print_exc()
            _complain(error)
            exit_code = FAILED

    compose_and_call(job)
    return exit_code


def _complain(error: Exception) -> None:
    text = str(error) if isinstance(error, Mistake) else f"the run failed with {type(error).__name__}: {error}"
    print(f"cxr: {' '.join(text.split())}", file=sys.stderr)


def _as_interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
