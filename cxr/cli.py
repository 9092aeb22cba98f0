"""The entrypoint: a Hydra app, unless the first argument is a command. A user error ends in one line and exit code 2."""

import errno
import os
import signal
import sys
import traceback
from importlib import import_module
from importlib.metadata import version
from types import FrameType
from typing import NoReturn

from cxr.config.implied_data import implied_data
from cxr.config.options import OWN, check_own_options, usage
from cxr.config.renamed import renamed
from cxr.errors import RunFailed, UserError
from cxr.system import expanded, keep_going_without_output, prepare_memory
from cxr.text import as_called, nearest, printable

WITH_OVERRIDES = ("audit", "data", "evaluate", "plan", "reproduce", "submit")
_CHOOSE_DATA = ("data", "evaluate", "plan", "results", "submit")  # commands whose overrides say which images
_ARE_SWEEPS = ("results", "submit")
USER_ERROR, FAILED, INTERRUPTED = 2, 1, 130
_OF_STORES = ("mlflow", "sqlalchemy", "sqlite3", "requests", "urllib3")  # libraries whose errors are those of a store


def main() -> NoReturn:
    """Run the arguments of this process, and exit."""
    keep_going_without_output()
    prepare_memory()
    signal.signal(signal.SIGTERM, _as_interrupt)
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # nohup sets it to ignore
        signal.signal(signal.SIGHUP, _as_interrupt)
    try:
        sys.argv[1:] = _with_paths(_with_data(_with_current_names(_with_own_options(sys.argv[1:]))))
        sys.exit(_run(sys.argv[1:]))
    except UserError as error:
        _complain(error)
        sys.exit(USER_ERROR)
    except KeyboardInterrupt:
        print("cxr: interrupted", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except Exception as error:
        advised = _with_advice(error)
        _complain(advised)
        sys.exit(USER_ERROR if isinstance(advised, UserError) else FAILED)


def _with_advice(error: Exception) -> Exception:
    """A `RunFailed` in place of an error of a store or of a full disk, a `UserError` for a name that is too long; others as is."""
    if type(error).__module__.partition(".")[0] in _OF_STORES:
        reason = f"{type(error).__name__}: {str(error)[:300]}"
        return RunFailed(f"the store failed ({reason}): fix that, and give the command again")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunFailed(f"no room on disk ({error}): free some, and give the command again")
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return UserError(f"{str(error.filename)[:60]}... is too long a name for a file: give a shorter one")
    return error


def _run(arguments: list[str]) -> int:
    if arguments[:1] in (["--version"], ["-V"]):
        print(f"cxr {version('cxr')}")
        return 0
    if command := _command_in(arguments):
        return _run_command(command, arguments[1:])
    if {"--help", "-h"} & set(arguments):
        from cxr.commands.arguments import PARSERS  # imports NumPy

        print(usage({name: parser.description or "" for name, parser in PARSERS.items()}))
        return 0
    _check_home()
    _refuse_twice(arguments)
    sys.argv[1:] = arguments = _flags_first(arguments)
    return int(import_module("cxr.commands.experiment").main(arguments))


def _run_command(command: str, arguments: list[str]) -> int:
    """Call `main(arguments)` of the module of `cxr.commands`; it returns an exit code, or None for 0."""
    from cxr.commands.arguments import PARSERS, parse  # imports NumPy

    if command not in PARSERS:
        raise UserError(f"there is no command {command}: {nearest(command, PARSERS)}; to choose an option write group=option")
    parse(command, arguments)  # rejects wrong ones before slow imports
    _check_home()
    if command in WITH_OVERRIDES:
        _refuse_twice(arguments)
    return int(import_module(f"cxr.commands.{command}").main(arguments) or 0)


def _flags_first(arguments: list[str]) -> list[str]:
    """With flags before overrides: Hydra takes overrides in one row only, before or after its flags.

    >>> _flags_first(["data=phantom", "-m", "loss=plain,focal"]), _flags_first(["loss=focal", "--cfg", "job", "freeze=half"])
    (['-m', 'data=phantom', 'loss=plain,focal'], ['--cfg', 'job', 'loss=focal', 'freeze=half'])
    """

    def is_override(argument: str) -> bool:
        return not argument.startswith("-") and ("=" in argument or argument.startswith("~"))

    return sorted(arguments, key=is_override)  # a stable sort


def _check_home() -> None:
    """Raise `UserError` for a user without a home folder: the cache is in it, and MLflow can't be imported without it."""
    if not expanded("~").is_absolute():
        raise UserError("this user has no home folder, and the cache and MLflow need one: give HOME=FOLDER before the command")


def _refuse_twice(arguments: list[str]) -> None:
    """Raise `UserError` for a key that is given twice: Hydra would take the last without a word."""
    keys = [argument.lstrip("+~").partition("=")[0] for argument in arguments if "=" in argument and not argument.startswith("-")]
    if twice := [key for key in dict.fromkeys(keys) if keys.count(key) > 1]:
        repeated = " ".join(argument for argument in arguments if argument.lstrip("+~").partition("=")[0] == twice[0])
        raise UserError(f"{twice[0]} is given more than once ({repeated}): give it once, or with -m as {twice[0]}=A,B")


def _with_own_options(arguments: list[str]) -> list[str]:
    """The arguments without --config-dir, which names a folder of options for this process and those that it starts."""
    remaining = list(arguments)
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in ("--config-dir", "-cd"):
            if not equals and index + 1 == len(arguments):
                raise UserError("--config-dir needs a folder: --config-dir FOLDER")
            os.environ[OWN] = value if equals else arguments[index + 1]
            del remaining[index : index + (1 if equals else 2)]
            break
    check_own_options()
    return remaining


def _with_current_names(arguments: list[str]) -> list[str]:
    """The arguments with the current names of options and settings; each replaced name is reported in a line."""
    current = [renamed(argument) if "=" in argument else argument for argument in arguments]
    for old, new in zip(arguments, current, strict=True):
        if old != new:
            print(f"cxr: {printable(old)} is now called {printable(new)}; the old name works in version 0.2 only", file=sys.stderr)
    return current


def _command_in(arguments: list[str]) -> str | None:
    """The command, or None for a run or a sweep."""
    first = arguments[0] if arguments else ""
    return first if first[:1].isalpha() and "=" not in first else None


def _with_data(arguments: list[str]) -> list[str]:
    """The arguments with data=folder or data=manifest where these are implied, which a line reports."""
    command = _command_in(arguments)
    if (command and command not in _CHOOSE_DATA) or (implied := implied_data(arguments)) is None:
        return arguments
    print(f"cxr: the images are read as those of data={implied}: give data=NAME for another kind", file=sys.stderr)
    place = next(place for place, argument in enumerate(arguments) if argument.lstrip("+").startswith("data."))
    return [*arguments[:place], f"data={implied}", *arguments[place:]]


def _with_paths(arguments: list[str]) -> list[str]:
    """The arguments with each path as Hydra reads it."""
    if not any("=" in argument for argument in arguments):
        return arguments
    from cxr.config.path_arguments import with_paths  # imports Hydra

    return with_paths(arguments, bool({"-m", "--multirun"} & set(arguments)) or _command_in(arguments) in _ARE_SWEEPS)


def _complain(error: Exception) -> None:
    expected = isinstance(error, UserError | RunFailed)
    if not expected or os.environ.get("CXR_TRACEBACK"):  # of a fault of cxr, its traceback is what a report of it needs
        traceback.print_exception(error)
    text = str(error) if expected else f"failed with {type(error).__name__}: {error}; this is a fault of cxr, please report it"
    print(f"cxr: {printable(as_called(' '.join(text.split())))}", file=sys.stderr)


def _as_interrupt(number: int, frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
