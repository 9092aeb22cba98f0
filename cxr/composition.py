"""How Hydra composes a config from conf/, and what its errors mean in a user's words."""

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigTypeError, InterpolationResolutionError, OmegaConfBaseException, ValidationError

from cxr.config import Config, Recipe, check, settings
from cxr.errors import Mistake
from cxr.options import CONF_DIR, option_groups
from cxr.words import nearest

_ERRORS = (HydraException, OmegaConfBaseException)


def compose_and_call(task: Any) -> None:
    """Run `task(composed)` as a Hydra app on this process' arguments; composition errors are raised as `Mistake`."""
    ConfigStore.instance().store(name="schema", node=Config)
    try:
        hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name="config")(task)()
    except _ERRORS as error:
        raise as_mistake(error) from error


def typed(composed: DictConfig) -> Config:
    """The composed config as a checked `Config`; raises `Mistake` for an unknown key or a value out of range."""
    for key in _unknown_keys(composed, Config, ""):
        raise _unknown_setting(key)
    try:
        config = OmegaConf.to_object(composed)
    except OmegaConfBaseException as error:
        raise as_mistake(error) from error
    assert isinstance(config, Config)
    check(config)
    return config


def recipe_of(composed: DictConfig) -> Recipe:
    """What the run was asked for: options chosen, overrides given, the whole config as YAML, the sweep it belongs to."""
    job = HydraConfig.get()
    choices = {str(group): str(name) for group, name in job.runtime.choices.items() if not str(group).startswith("hydra")}
    in_sweep = job.mode == RunMode.MULTIRUN
    return Recipe(
        choices=dict(sorted(choices.items())),
        overrides=tuple(job.overrides.task),
        yaml=OmegaConf.to_yaml(composed, resolve=True),
        sweep_id=Path(job.sweep.dir).name if in_sweep else None,
    )


def as_mistake(error: HydraException | OmegaConfBaseException) -> Mistake:
    """What a composition error means, in one line with the nearest right names."""
    if isinstance(error, MissingConfigException):
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        return Mistake(f"{group}={option} is not an option: {nearest(option, error.options or [])}")
    if isinstance(error, OverrideParseException):
        return Mistake(f"can't read the argument {error.override!r}: write group=option or group.key=value")
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(cause, OmegaConfBaseException) and (mistake := _wrong_value(cause)):
        return mistake
    unknown = re.search(r"Could not override '([^'@]+)", str(error))
    return _unknown_setting(unknown[1]) if unknown else Mistake(" ".join(str(error).split()))


def _wrong_value(error: OmegaConfBaseException) -> Mistake | None:
    key, line = str(error.full_key), str(error).splitlines()[0]
    value = re.match(r"Value '(.*)' of type '\w+' (?:could not be converted to|is not a subclass of) (\w+)", line)
    if isinstance(error, ValidationError) and value:
        kinds = {"Float": "a number", "Integer": "a whole number", "Boolean": "true or false"}
        return Mistake(f"{key}={value.group(1)} is not {kinds.get(value[2], value[2])}")
    if isinstance(error, ConfigTypeError) and "deletion" in line:
        return Mistake(f"{key} can't be left out: set it with {key}=VALUE")
    if isinstance(error, ValidationError | ConfigTypeError | InterpolationResolutionError):
        return Mistake(f"{key}: {line}")
    return None


def _unknown_setting(key: str) -> Mistake:
    known = [name for name, _, _ in settings(Config())]
    group, _, leaf = key.partition(".")
    groups = list(option_groups())
    if not leaf:
        last_parts = [name for name in known if name.split(".")[-1] == key]
        return Mistake(
            f"there is no group {key}: " + (f"did you mean {' or '.join(last_parts)}?" if last_parts else nearest(key, groups))
        )
    leaves = [name.partition(".")[2] for name in known if name.startswith(f"{group}.")]
    return Mistake(f"there is no setting {key}: {nearest(leaf, leaves) if leaves else nearest(group, groups)}")


def _unknown_keys(node: DictConfig, schema: Any, prefix: str) -> Iterator[str]:
    """Keys that were added with + and that the schema does not have; free-form mappings may hold any."""
    types = {item.name: item.type for item in fields(schema)}
    for key in map(str, node):
        if key not in types:
            yield prefix + key
        elif is_dataclass(types[key]) and isinstance(node[key], DictConfig):
            yield from _unknown_keys(node[key], types[key], f"{prefix}{key}.")
