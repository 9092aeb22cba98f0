"""The model that answers: the names of its operating points."""

from cxr.commands.arguments import PARSERS
from cxr.predict.model import POINTS


def test_the_command_knows_every_operating_point() -> None:
    """The parser can't import them: it has to answer before NumPy is there."""
    choices = next(action.choices for action in PARSERS["predict"]._actions if action.dest == "point")
    assert choices is not None
    assert list(choices) == list(POINTS)
