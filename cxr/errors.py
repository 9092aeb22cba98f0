"""Errors that a user sees: one line, what is wrong, then what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class UserError(Exception):
    """Something that the user can put right; the text is one line: what is wrong, then what to do.

    The entrypoint prints it without a traceback and exits with 2.
    """

    def __init__(self, text: str) -> None:
        super().__init__(" ".join(text.splitlines()))  # names of columns and classes may hold what they like


class RunFailed(Exception):
    """A run that failed for a reason outside of it; the text is one line: what happened, then what to do.

    The entrypoint prints it without a traceback and exits with 1.
    """


class TrainingDiverged(RunFailed):
    """The loss is no longer a number."""


@contextmanager
def writing(path: Path, advice: str = "") -> Iterator[None]:
    """Turn an `OSError` of the block, as on a full disk, into one line that names `path`, and ends in what to do.

    Raises:
        UserError: The block raised one.
    """
    try:
        yield
    except OSError as error:
        raise UserError(f"{path} can't be written: {error.strerror or error}{advice}") from None
