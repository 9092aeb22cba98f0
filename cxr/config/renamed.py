"""Options and settings that were renamed since version 0.1. Old names work in 0.2 and in logged configs."""

from collections.abc import Mapping
from typing import Any

# By group: old option and new one.
OPTIONS = {
    "experiment": {"seed_protocol": "original_protocol"},
    "split": {"seed_80_20": "train_val_80_20"},
    "augment": {"seed_protocol": "original_protocol"},
    "freeze": {"top_block": "last_block", "top_stage": "last_stage", "none": "all"},
    "training": {"seed_protocol": "original_protocol", "head": "standard"},
    "optimizer": {"adam_head": "adam"},
}
SETTINGS = {"evaluation.heat_images": "evaluation.saliency_images", "augment.surroundings": "augment.background"}


def renamed(override: str) -> str:
    """An override with the current names; several values of a sweep are separated by commas.

    >>> renamed("split=seed_80_20,three_way"), renamed("+evaluation.heat_images=3"), renamed("freeze=head")
    ('split=train_val_80_20,three_way', '+evaluation.saliency_images=3', 'freeze=head')
    """
    name, equals, value = override.partition("=")
    key = name.lstrip("+~")
    sign = name[: len(name) - len(key)]
    options = OPTIONS.get(key.lstrip("/"), {})
    values = ",".join(options.get(option, option) for option in value.split(","))
    return f"{sign}{SETTINGS.get(key, key)}{equals}{values}"


def renamed_choices(choices: Mapping[str, str]) -> dict[str, str]:
    """The option of each group, with the current names."""
    return {group: OPTIONS.get(group, {}).get(option, option) for group, option in choices.items()}


def renamed_params(params: Mapping[str, str]) -> dict[str, str]:
    """Settings by dotted key, as the store or a record has them, with the names of today; of both names, the new one counts.

    >>> renamed_params({"augment.surroundings": "0.4", "augment.zoom": "0.1"})
    {'augment.background': '0.4', 'augment.zoom': '0.1'}
    """
    old = {SETTINGS[key]: value for key, value in params.items() if key in SETTINGS}
    return old | {key: value for key, value in params.items() if key not in SETTINGS}


def renamed_settings(values: dict[str, Any]) -> dict[str, Any]:
    """A whole logged config, nested by group, with the current names.

    >>> renamed_settings({"evaluation": {"heat_images": 3, "bins": 10}})
    {'evaluation': {'bins': 10, 'saliency_images': 3}}
    """
    current = {group: dict(settings) if isinstance(settings, dict) else settings for group, settings in values.items()}
    for old, new in SETTINGS.items():
        group, _, name = old.partition(".")
        if isinstance(current.get(group), dict) and name in current[group]:
            current[group][new.partition(".")[2]] = current[group].pop(name)
    return current
