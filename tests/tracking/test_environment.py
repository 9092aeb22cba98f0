"""The environment that a run records."""

from email.message import Message
from types import SimpleNamespace

import pytest

from cxr.tracking import environment


def test_package_without_readable_metadata_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an interrupted installation leaves it."""
    whole = Message()
    whole["Name"], whole["Version"] = "NumPy", "2.0"

    class Broken:
        @property
        def metadata(self) -> Message:
            raise FileNotFoundError("METADATA")

    distributions = [SimpleNamespace(metadata=Message()), SimpleNamespace(metadata=whole), SimpleNamespace(metadata=None), Broken()]
    monkeypatch.setattr("cxr.tracking.environment.distributions", lambda: distributions)
    assert environment.packages.__wrapped__() == "numpy==2.0\n"
