"""The environment that a run records."""

from email.message import Message
from types import SimpleNamespace

import pytest

from cxr.tracking import environment


def test_a_package_without_readable_metadata_fails_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an interrupted installation leaves it."""
    whole = Message()
    whole["Name"], whole["Version"] = "NumPy", "2.0"

    class Broken:
        @property
        def metadata(self) -> Message:
            raise FileNotFoundError("METADATA")

    found = [SimpleNamespace(metadata=Message()), SimpleNamespace(metadata=whole), SimpleNamespace(metadata=None), Broken()]
    monkeypatch.setattr("cxr.tracking.environment.distributions", lambda: found)
    assert environment.packages.__wrapped__() == "numpy==2.0\n"
