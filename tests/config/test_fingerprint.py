"""Fingerprints: they change if, and only if, results may change."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from cxr.config import fingerprint
from cxr.config.fingerprint import config_fingerprint, syntax_of
from cxr.config.schema import Config
from tests.conftest import Compose

SAME = '''"""A module that says something else."""
def add(first: int, second: int) -> int:
    """Says something else."""
    # and so does this
    return (first + second)
'''
CODE = '''"""A module."""


def add(first: int, second: int) -> int:
    """Add."""
    return first + second
'''


def test_comments_docstrings_and_layout_are_no_part_of_the_code() -> None:
    assert syntax_of(CODE) == syntax_of(SAME)


@pytest.mark.parametrize("change", [("first + second", "first - second"), ("second: int", "second: int = 1"), ("add", "plus")])
def test_all_else_is(change: tuple[str, str]) -> None:
    assert syntax_of(CODE) != syntax_of(CODE.replace(*change))


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("evaluation.figure_dpi=50", True),
        ("evaluation=numbers", True),
        ("evaluation.failures=1", True),
        ("tracking.run_name=x", True),
        ("training.threads=1", True),
        ("training.name=x", True),
        ("training.epochs=3", False),
        ("evaluation.sensitivity=0.9", False),
        ("optimizer=adamw", False),
        ("freeze=last_block", False),
        ("training.deterministic=true", False),
    ],
)
def test_what_only_shows_is_no_part_of_the_config(override: str, same: bool, compose_config: Compose) -> None:
    assert (config_fingerprint(compose_config(override)) == config_fingerprint(compose_config())) == same


def test_two_backbones_are_two_experiments(compose_config: Compose) -> None:
    """Also where all of their settings have equal values, and no weights tell them apart."""
    same = ("backbone.weights=none", "backbone.image_size=32", "freeze=head")
    one, other = (compose_config(f"backbone={name}", *same) for name in ("mobilenet_v2", "mobilenet_v3_small"))
    assert config_fingerprint(one) != config_fingerprint(other)


def test_another_version_of_a_library_that_computes_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint.library_fingerprint.__wrapped__()
    assert {"tensorflow", "keras", "numpy", "pillow"} <= set(fingerprint.library_versions())
    from importlib.metadata import version

    monkeypatch.setattr(fingerprint, "version", lambda name: "9.9" if name == "keras" else version(name))
    assert fingerprint.library_fingerprint.__wrapped__() != before


def test_every_setting_without_a_part_is_one_that_exists() -> None:
    """A setting that was renamed would count again, or not any more."""
    known = [key for key, _, _ in _leaves(Config())]
    for prefix in fingerprint._NO_PART:
        assert any(key.startswith(prefix) for key in known), prefix
    assert set(fingerprint._NAMES_THAT_COUNT) <= set(known)
    assert replace(Config(), force=True) != Config()


def _leaves(node: Any, prefix: str = "") -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    for item in fields(node):
        value = getattr(node, item.name)
        found += _leaves(value, f"{prefix}{item.name}.") if is_dataclass(value) else [(f"{prefix}{item.name}", value, item)]
    return found
