"""What tests of a whole run share: a count of trained epochs, and a disk that is full."""

from typing import Any

import pytest


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Has an item for each epoch that was trained."""
    from cxr.training.steps import Steps  # imports Keras

    epochs: list[int] = []
    train = Steps.train

    def counted(self: Steps, *arguments: Any) -> Any:
        epochs.append(1)
        return train(self, *arguments)

    monkeypatch.setattr(Steps, "train", counted)
    return epochs


def breaking(*_: object, **__: object) -> None:
    """Stands in a test for a function that finds the disk full."""
    raise OSError(28, "No space left on device")
