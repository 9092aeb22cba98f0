"""The entrypoint: a plain Hydra app, unless the first argument is a command; every mistake ends in one line and exit code 2."""

import os
import signal
import sys
import traceback
from importlib import import_module
from types import FrameType
from typing import NoReturn

from cxr.console import keep_going_without_output
from cxr.errors import Mistake, RunFailed
from cxr.options import usage
from cxr.words import nearest, printable

# Each is a module of cxr.commands with a function main(arguments), which returns an exit code, or None for 0.
COMMANDS = ("cache", "compare", "data", "evaluate", "folds", "reproduce", "send", "ui")
MISTAKE, FAILED, INTERRUPTED = 2, 1, 130
_OF_STORES = ("mlflow", "sqlalchemy", "sqlite3", "requests", "urllib3")  # libraries whose errors are those of a store


def main() -> NoReturn:
    """Run what this process' arguments ask for, and exit."""
    keep_going_without_output()
    signal.signal(signal.SIGTERM, _as_interrupt)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # nohup says otherwise
        signal.signal(signal.SIGHUP, _as_interrupt)
    try:
        sys.exit(_run(sys.argv[1:]))
    except Mistake as mistake:
        _complain(mistake)
        sys.exit(MISTAKE)
    except RunFailed as failure:
        _complain(failure)
        sys.exit(FAILED)
    except KeyboardInterrupt:
        print("cxr: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in _OF_STORES:
            raise  # a fault of cxr's: its traceback is what a report of it needs
        _complain(
            RunFailed(f"the store failed ({type(error).__name__}: {str(error)[:300]}): mend that, and give the command again")
        )
        sys.exit(FAILED)


def _run(arguments: list[str]) -> int:
    first = arguments[0] if arguments else ""
    if first in COMMANDS:
        return int(import_module(f"cxr.commands.{first}").main(arguments[1:]) or 0)
    if {"--help", "-h"} & set(arguments):
        print(usage())
        return 0
    if first and first[0].isalpha() and "=" not in first:
        raise Mistake(f"there is no command {first}: {nearest(first, COMMANDS)}; to choose an option write group=option")
    return _run_experiments(arguments)


def _run_experiments(arguments: list[str]) -> int:
    """One run, or a sweep. Returns the exit code."""
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra hands its errors on instead of printing and exiting
    if _is_sweep(arguments):
        from cxr.sweep.run import run_sweep

        return run_sweep()
    from omegaconf import DictConfig

    from cxr.composition import compose_and_call, recipe_of, typed
    from cxr.experiment import run_experiment

    failure: list[Exception] = []

    def job(composed: DictConfig) -> None:
        try:
            run_experiment(typed(composed), recipe_of(composed))
        except Exception as error:  # Hydra would print it its own way
            failure.append(error)

    compose_and_call(job)
    for error in failure:
        if isinstance(error, Mistake | RunFailed):
            raise error
        traceback.print_exception(error)
        _complain(error)
        return FAILED
    return 0


def _is_sweep(arguments: list[str]) -> bool:
    """Whether Hydra will run several jobs: asked for by a flag, or by a preset of a search."""
    showing = {"--cfg", "-c", "--info", "-i", "--shell-completion", "-sc", "--hydra-help"} & set(arguments)
    asked = {"-m", "--multirun"} & set(arguments)
    return not showing and bool(asked or any(word.startswith(("hparams_search=", "hydra.mode=")) for word in arguments))


def _complain(error: Exception) -> None:
    expected = isinstance(error, Mistake | RunFailed)
    if expected and os.environ.get("CXR_TRACEBACK"):
        traceback.print_exception(error)
    text = str(error) if expected else f"the run failed with {type(error).__name__}: {error}"
    print(f"cxr: {printable(' '.join(text.split()))}", file=sys.stderr)


def _as_interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
