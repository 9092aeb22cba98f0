"""What a user can get wrong, as one line that says what to do."""


class Mistake(Exception):
    """Something that the user can put right; the text is one line: what is wrong, then what to do.

    The entrypoint prints it without a traceback and exits with 2.
    """
