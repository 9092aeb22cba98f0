"""A logged run, read as data: nothing in it is executed, imported or resolved."""

import json
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cxr.config.compose import compose, typed, value_of
from cxr.config.fields import settings
from cxr.config.options import option_groups
from cxr.config.provenance import Provenance
from cxr.config.renamed import renamed, renamed_choices, renamed_settings
from cxr.config.schema import (
    BackboneConfig,
    Config,
    FreezeConfig,
    OptimizerConfig,
    PhantomConfig,
    TrackingConfig,
    TrainingConfig,
    WorkConfig,
)
from cxr.config.validation import check_value
from cxr.data.manifest import read_manifest
from cxr.data.parts import PARTS
from cxr.errors import UserError
from cxr.model.resolve import resolve
from cxr.stages.basis import bears_on_result
from cxr.tracking.logged_run import LoggedRun

# Groups of which `resolve` completes settings, or reads them to do so.
_OPEN: dict[str, Any] = {
    "backbone": BackboneConfig,
    "freeze": FreezeConfig,
    "optimizer": OptimizerConfig,
    "training": TrainingConfig,
}
_SEARCH = "hparams_search"  # its preset would bring its sweeper; its values are among the overrides anyway


@dataclass(frozen=True)
class Logged:
    """What a run logged of its inputs."""

    run: LoggedRun
    values: dict[str, Any]  # the whole config by group, resolved
    overrides: tuple[str, ...]
    choices: dict[str, str]
    manifest: pd.DataFrame
    packages: dict[str, str]
    machine: dict[str, Any]
    diff: str  # of the code from its commit


def read_logged(run: LoggedRun) -> Logged:
    """What a run logged.

    Raises:
        UserError: The run was not made by cxr, or its files can't be read.
    """
    try:
        values = _plain(run.file("config/config.yaml"))
        overrides = _plain(run.file("config/overrides.yaml"))
        choices = _plain(run.file("config/choices.yaml"))
        manifest = read_manifest(run.file("data/manifest.csv"))
        packages = dict(line.split("==") for line in run.file("environment/packages.txt").read_text().split())
        machine = json.loads(run.file("environment/machine.json").read_text())
        diff = run.file("environment/uncommitted.diff").read_text() if run.has_file("environment/uncommitted.diff") else ""
        if manifest["path"].duplicated().any() or not set(manifest["split"]) <= {*PARTS}:
            raise ValueError("its manifest names an image twice, or a part that is not train, val or test")
        known = isinstance(machine, dict) and type(machine.get("threads", 0)) is int
        if not (known and isinstance(machine.get("gpus", []), list)):
            raise ValueError("environment/machine.json does not describe a machine")
    except (OmegaConfBaseException, yaml.YAMLError, ValueError, OSError, RecursionError) as error:
        raise UserError(f"what run {run.name} ({run.short_id}) logged can't be read: {' '.join(str(error).split())}") from None
    if not (isinstance(values, dict) and values and isinstance(overrides, list) and isinstance(choices, dict)):
        raise UserError(f"what run {run.name} ({run.short_id}) logged is not a config of cxr")
    overrides = tuple(renamed(str(override)) for override in overrides)
    choices = renamed_choices({str(group): str(option) for group, option in choices.items()})
    values = renamed_settings(values)
    if isinstance(values.get("data"), dict):  # the rule that its images were read by; runs of before version 0.3 logged none
        values["data"] = {**values["data"], "grey": run.params.get("data.grey", "brightest")}
    return Logged(run, values, overrides, choices, manifest, packages, machine, diff)


@dataclass(frozen=True)
class Restored:
    """A logged config as today's schema has it.

    `changed` lists values that the same overrides would change today (key, then, now). The run uses the logged values.
    """

    config: Config
    provenance: Provenance
    changed: list[tuple[str, str, str]]
    notes: list[str]


def restore(logged: Logged, elsewhere: list[str]) -> Restored:
    """Compose today's config from the logged overrides, apply the logged values, and then the places that changed.

    Args:
        elsewhere: overrides of settings that do not bear on the result (data.root, tracking.uri, ...), or of where the weights are.

    Raises:
        UserError: Logged values no longer fit the schema; it has the whole list.
    """
    today, notes = _composed_today(logged)
    schema = Config()
    if isinstance(_lookup(logged.values, "data.phantom"), dict):
        schema.data.phantom = PhantomConfig()  # so that its settings are looked for
    config, notes_of_new = _with_logged_values(logged, schema, today)
    experiment, role = (str(_lookup(logged.values, f"tracking.{key}")) for key in ("experiment", "role"))
    tracking = TrackingConfig(experiment=experiment, role=role, run_name=f"{logged.run.name}-again")
    OmegaConf.update(config, "tracking", OmegaConf.structured(tracking), merge=False)
    if config.data.phantom is not None:
        config.data.root = None  # phantoms are drawn where this machine keeps them
    if config.training.threads is None:
        config.training.threads = logged.machine.get("threads") or None
    config.baseline.auto, config.force = False, True
    config.work = OmegaConf.structured(WorkConfig)  # a folder of the machine that it ran on
    for override in elsewhere:
        _override(config, override)
    checked = typed(config)
    provenance = Provenance(logged.choices, logged.overrides, OmegaConf.to_yaml(config), reproduces=logged.run.id)
    return Restored(checked, provenance, _changed_values(logged.values, today, schema) if today else [], [*notes, *notes_of_new])


_ABSENT = object()


def _with_logged_values(logged: Logged, schema: Config, today: dict[str, Any] | None) -> tuple[DictConfig, list[str]]:
    """A config of the logged values, and notes on settings that are new since then: those have the values of today."""
    config, notes = OmegaConf.structured(schema), []
    problems = [f"{key} is no longer a setting" for key in _unknown(logged.values, schema)]
    for key, value, item in settings(schema):
        if (then := _lookup(logged.values, key)) is _ABSENT:
            now = _lookup(today, key, value) if today else value
            now = PhantomConfig(**now) if key == "data.phantom" and isinstance(now, dict) else now
            OmegaConf.update(config, key, now)
            if bears_on_result(key):
                notes.append(f"{key} is new since then: {now}")
            continue
        try:
            if "${" in str(then):
                raise ValueError("holds an interpolation, which a logged config never does")
            OmegaConf.update(config, key, then, merge=False)
            check_value(key, OmegaConf.select(config, key), item)
        except UserError as error:
            problems.append(str(error))
        except (OmegaConfBaseException, ValueError) as error:
            problems.append(f"{key}={str(then)[:80]}: {str(error).splitlines()[0]}")
    if problems:
        raise UserError(f"the logged config of {logged.run.name} no longer fits: {'; '.join(problems)}")
    return config, notes


def _changed_values(then: dict[str, Any], today: dict[str, Any], schema: Config) -> list[tuple[str, str, str]]:
    """The settings that bear on the result and differ: key, value then, value today."""
    before, after = _resolved(then), _resolved(today)
    pairs = [
        (key, before.get(key, _lookup(then, key)), after.get(key, _lookup(today, key)))
        for key, _, _ in settings(schema)
        if bears_on_result(key)
        and not (key == "split.method" and _lookup(today, key) == "auto")  # left to the data, as then
        and not (key == "data.grey" and str(_lookup(then, key)).isdigit())  # found by auto
    ]
    return [(key, str(old), str(new)) for key, old, new in pairs if _ABSENT not in (old, new) and old != new]


def _resolved(values: dict[str, Any]) -> dict[str, Any]:
    """Settings that a config leaves open, by key: block_13 and last_stage may be one depth. Empty for a misfit."""
    parts, made = {}, {}
    try:
        for group, kind in _OPEN.items():
            known, part = {item.name for item in fields(kind)}, values.get(group)
            parts[group] = {key: value for key, value in part.items() if key in known} if isinstance(part, dict) else {}
            made[group] = kind(**parts[group])
        resolved = resolve(replace(Config(), **made)).config
    except (UserError, TypeError, ValueError, AttributeError):
        return {}
    return {
        f"{group}.{name}": getattr(getattr(resolved, group), name)
        for group in ("backbone", "freeze", "optimizer")
        for name in parts[group]
    }


def _plain(path: Path) -> Any:
    """A YAML file as dicts, lists and scalars; interpolations stay text, and aliases, which could grow without end, are refused."""
    if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(path.read_text())):
        raise ValueError("it holds a YAML alias, which a logged config never does")
    return OmegaConf.to_container(OmegaConf.load(path), resolve=False)


def _composed_today(logged: Logged) -> tuple[dict[str, Any] | None, list[str]]:
    """The config that the logged overrides compose today, as plain data; None, and why, where they no longer compose."""
    safe = [override for override in logged.overrides if _is_safe(override)]
    left_out = [override for override in logged.overrides if override not in safe and not override.startswith(f"{_SEARCH}=")]
    notes = [f"left out of today's composition: {override}" for override in left_out]
    try:
        composed, _ = compose(safe)
    except UserError as error:
        return None, [*notes, f"the logged overrides no longer compose ({error}); the logged values are used"]
    plain = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}, notes


def _is_safe(override: str) -> bool:
    """Whether an override sets a value, or chooses one of conf/'s own options: Hydra would take a path to any YAML file too."""
    name, _, value = override.lstrip("+~").partition("=")
    options = option_groups()
    if "$" in override or "/" in name or "@" in name or name == _SEARCH:
        return False
    if name in options:
        return value in options[name]
    return name.partition(".")[0] in {*options, *(item.name for item in fields(Config))}


def _unknown(values: Any, schema: Any, prefix: str = "") -> list[str]:
    """Keys of logged values that the schema does not have."""
    known = {item.name: getattr(schema, item.name) for item in fields(schema)}
    unknown = []
    for key, value in values.items():
        if key not in known:
            unknown.append(f"{prefix}{key}")
        elif is_dataclass(known[key]) and isinstance(value, dict):
            unknown += _unknown(value, known[key], f"{prefix}{key}.")
        elif is_dataclass(known[key]) and value is not None:
            unknown.append(f"{prefix}{key} as a single value")
    return unknown


def _lookup(values: dict[str, Any], key: str, default: Any = _ABSENT) -> Any:
    """The value at a dotted key of a nested config."""
    value: Any = values
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            return default
        value = value[part]
    return value


def _override(config: DictConfig, override: str) -> None:
    """Set a value that says where something is; raises `UserError` for a setting that bears on the result."""
    key, equals, _ = override.partition("=")
    known = {name for name, _, _ in settings(Config())}
    if not equals or key not in known or (bears_on_result(key) and key != "backbone.weights"):
        raise UserError(
            f"{override!r} can't be changed for a logged run: give data.root=FOLDER, backbone.weights=FILE, training.threads=N "
            "or a tracking setting"
        )
    try:
        OmegaConf.update(config, key, value_of(override))
    except OmegaConfBaseException as error:
        raise UserError(f"{override}: {str(error).splitlines()[0]}") from None
