"""Errors that a user sees: one line, what is wrong, then what to do."""


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
