"""Composition of a config by Hydra, and the translation of Hydra's errors."""

import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra import initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # how `-m` expands; not public: see tests
from hydra._internal.utils import get_args_parser  # Hydra's reading of the command line; not public: see tests
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import (
    ConfigTypeError,
    InterpolationResolutionError,
    OmegaConfBaseException,
    UnsupportedInterpolationType,
    ValidationError,
)

from cxr.config.fields import settings
from cxr.config.launchers import LAUNCHERS
from cxr.config.options import CONF_DIR, option_groups, own_folder
from cxr.config.provenance import Provenance
from cxr.config.renamed import OPTIONS
from cxr.config.schema import Config
from cxr.config.validation import check, check_value
from cxr.errors import UserError
from cxr.system import cores
from cxr.text import in_shell, nearest

_ERRORS = (HydraException, OmegaConfBaseException)
ConfigStore.instance().store(name="schema", node=Config)  # conf/config.yaml names it


def compose_and_call(task: Any) -> None:
    """Run `task(composed)` as a Hydra app on this process' arguments; composition errors are raised as `UserError`."""
    for override in _search_path(sys.argv):
        add_override(override)
    with _as_user_errors():
        hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name="config")(task)()


def typed(composed: DictConfig) -> Config:
    """The composed config as a checked `Config`.

    Raises:
        UserError: A key is unknown or a value out of range.
    """
    for key in _unknown_keys(composed, Config, ""):
        raise _unknown_setting(key)
    with _as_user_errors():
        config = OmegaConf.to_object(composed)
    assert isinstance(config, Config)
    check(config)
    return config


def provenance_of(composed: DictConfig) -> Provenance:
    """The provenance of the job that Hydra runs."""
    job = HydraConfig.get()
    with _as_user_errors():
        return _provenance(composed, job, list(job.overrides.task))


def sweep_job() -> tuple[Path, int]:
    """The folder of the sweep that Hydra runs, and this job's number in it, from 0."""
    job = HydraConfig.get()
    return Path(job.sweep.dir), int(job.job.num)


def compose(overrides: Sequence[str]) -> tuple[DictConfig, Provenance]:
    """Compose conf/ with overrides, outside of a job that Hydra runs or within.

    Raises:
        UserError: An override is not valid.
    """
    with _as_user_errors(), composer() as loader:
        whole = _load(loader, overrides, RunMode.RUN)
        plain = _without_hydra(whole)
        return plain, _provenance(plain, whole.hydra, list(whole.hydra.overrides.task))


@dataclass(frozen=True)
class Expansion:
    """The jobs of a sweep's arguments."""

    jobs: list[list[str]] | None  # overrides of each job; None for a search, which chooses them one by one
    count: int
    swept: list[str]  # keys that differ from job to job
    at_once: int
    common: DictConfig  # what all jobs have in common
    launcher: str  # Hydra's name for what runs the jobs
    waits: bool = True  # for the end of the jobs
    search: str = ""  # how a search goes about it
    by_hydra: bool = True  # whether only Hydra can run the jobs: it chooses them, or does more around each than to compose it


def expand(overrides: Sequence[str]) -> Expansion:
    """The jobs that Hydra's sweeper will run for these arguments.

    Raises:
        UserError: An argument is not valid.
    """
    with _as_user_errors(), composer() as loader:
        common = _load(loader, overrides, RunMode.MULTIRUN)
        sweeper, launcher = common.hydra.sweeper, common.hydra.launcher
        params = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
        parsed = OverridesParser.create(config_loader=loader).parse_overrides([*params, *overrides])
        swept = [override.get_key_element() for override in parsed if override.is_sweep_override()]
        keys, plain = list(dict.fromkeys(swept)), _without_hydra(common)
        how = str(common.hydra.runtime.choices["hydra/launcher"]), bool(launcher.get("wait", True))
        launcher_settings(how[0], launcher)
        if "n_trials" in sweeper:
            count, at_once = int(sweeper.n_trials), min(_at_once(launcher, int(sweeper.n_jobs)), int(sweeper.n_jobs))
            return Expansion(None, count, keys, at_once, plain, *how, OmegaConf.to_yaml(sweeper, resolve=True))
        (jobs,) = BasicSweeper.split_arguments(parsed, None)
        by_hydra = bool(common.hydra.callbacks or common.hydra.job.env_set or common.hydra.verbose)
    return Expansion(jobs, len(jobs), keys, min(_at_once(launcher, len(jobs)), len(jobs)), plain, *how, by_hydra=by_hydra)


def launcher_settings(name: str, node: Any) -> Any:
    """The checked settings of a launcher of cxr; None for another one.

    Raises:
        UserError: It can't take a value.
    """
    if name not in LAUNCHERS:
        return None
    plain = {str(key): value for key, value in node.items() if key != "_target_"}
    with _as_user_errors(prefix="hydra.launcher."):
        launcher = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(LAUNCHERS[name]), plain))
    for key, value, item in settings(launcher):
        check_value(f"hydra.launcher.{key}", value, item)
    return launcher


# What launchers call the number of jobs at once: joblib, Ray, SLURM. Hydra's own runs one after another.
_AT_ONCE = ("n_jobs", "max_concurrent", "array_parallelism")


def _at_once(launcher: DictConfig, count: int) -> int:
    """Jobs that a launcher runs at once; `count` where it leaves that to a cluster."""
    limit = next((launcher[key] for key in _AT_ONCE if key in launcher), 1)
    at_once = count if limit is None else int(limit)
    return at_once if at_once > 0 else max(1, cores() + 1 + at_once)


def add_override(override: str) -> None:
    """Add an override to this process' arguments, beside another: Hydra takes them in one row only, before or after its flags."""
    places = [place for place, argument in enumerate(sys.argv) if place and "=" in argument and not argument.startswith("-")]
    sys.argv.insert(places[-1] + 1 if places else len(sys.argv), override)


def value_of(override: str) -> Any:
    """The value of an override, as Hydra's grammar reads it.

    Raises:
        UserError: The grammar can't read it.
    """
    with _as_user_errors():
        return OverridesParser.create().parse_override(override).value()


def given_overrides() -> list[str]:
    """The overrides among this process' arguments."""
    return list(get_args_parser().parse_args().overrides)


def _search_path(overrides: Sequence[str]) -> list[str]:
    """The override that lets Hydra find options of the user's own, where there are some and it is not given."""
    own = own_folder()
    has_one = any(override.startswith("hydra.searchpath=") for override in overrides)
    return [f"hydra.searchpath=[file://{own}]"] if own and not has_one else []


def _without_hydra(whole: DictConfig) -> DictConfig:
    plain = whole.copy()
    with flag_override(plain, ["struct", "readonly"], [False, False]):
        del plain["hydra"]
    return plain


def _provenance(composed: DictConfig, job: Any, overrides: list[str]) -> Provenance:
    choices = {str(group): str(name) for group, name in job.runtime.choices.items() if not str(group).startswith("hydra")}
    return Provenance(
        choices=dict(sorted(choices.items())), overrides=tuple(overrides), yaml=OmegaConf.to_yaml(composed, resolve=True)
    )


@contextmanager
def composer() -> Iterator[ConfigLoader]:
    """Hydra's loader: that of the running app, or a temporary one, which everything composed inside shares."""
    if GlobalHydra.instance().is_initialized():
        yield GlobalHydra.instance().config_loader()
        return
    with initialize_config_dir(str(CONF_DIR), job_name="cxr", version_base="1.3"):
        yield GlobalHydra.instance().config_loader()


def _load(loader: ConfigLoader, overrides: Sequence[str], mode: RunMode) -> DictConfig:
    return loader.load_configuration(config_name="config", overrides=[*overrides, *_search_path(overrides)], run_mode=mode)


@contextmanager
def _as_user_errors(prefix: str = "") -> Iterator[None]:
    """Raise Hydra's errors as `UserError`; `prefix` is what the keys of a part of a config begin with."""
    try:
        yield
    except _ERRORS as error:
        raise as_user_error(error, prefix) from error
    except yaml.YAMLError as error:  # of an option in a folder of --config-dir
        raise UserError(f"an option can't be read as plain YAML ({' '.join(str(error).split())[:200]}): fix its file") from error
    except (ValueError, RuntimeError, TypeError, ImportError) as error:  # Hydra's plain errors
        if str(error).startswith("Config group override must be"):
            raise UserError("a group can't be null: choose one of its options (cxr --help lists them)") from error
        if str(error).startswith(("Unable to configure", "Invalid plugin")):
            raise UserError(f"Hydra can't be set up by this config ({' '.join(str(error).split())[:200]})") from error
        raise


def as_user_error(error: HydraException | OmegaConfBaseException, prefix: str = "") -> UserError:
    """The meaning of a composition error, in one line with the nearest correct names."""
    if isinstance(error, MissingConfigException):
        if error.missing_cfg_file == "hydra/sweeper/optuna":
            return UserError("a search needs Optuna, which is an extra: pip install 'hydra-optuna-sweeper>=1.3,<1.4'")
        group, _, option = (error.missing_cfg_file or "").rpartition("/")
        if option in OPTIONS.get(group, {}):
            return UserError(f"{group}={option} is now called {group}={OPTIONS[group][option]}: change the file that chooses it")
        return UserError(f"{group}={option} is not an option: {nearest(option, error.options or [])}")
    if isinstance(error, OverrideParseException):
        return UserError(
            f"can't read the argument {error.override!r}: write group=option or group.key=value{_quoted(error.override)}"
        )
    cause = error if isinstance(error, OmegaConfBaseException) else error.__cause__
    if isinstance(cause, OmegaConfBaseException) and (wrong := _wrong_value(cause, prefix)):
        return wrong
    unknown = re.search(r"Could not override '([^'@]+)", str(error))
    return _unknown_setting(unknown[1]) if unknown else UserError(" ".join(str(error).split()))


def _quoted(override: str) -> str:
    """How to give a value that Hydra's grammar can't read, as the end of a message."""
    key, equals, value = override.partition("=")
    text = in_shell(f"{key}={QuotedString(value, Quote.single).with_quotes()}")
    return f"; text as it is needs quotes: {text}" if equals else ""


def _wrong_value(error: OmegaConfBaseException, prefix: str) -> UserError | None:
    key, line = prefix + str(error.full_key), str(error).splitlines()[0]
    if "HydraConfig was not set" in line:
        return UserError(f"{key} holds ${{hydra:...}}, which has no value before a job runs: write the value itself")
    value = re.match(
        r"Value '(.*)' (?:of type '\w+' could not be converted to|of type '\w+' is not a subclass of|is not a valid) (\w+)", line
    )
    if isinstance(error, ValidationError) and value:
        kinds = {"Float": "a number", "Integer": "a whole number", "bool": "true or false"}
        return UserError(f"{key}={value.group(1)} is not {kinds.get(value[2], value[2])}")
    if isinstance(error, ConfigTypeError) and "deletion" in line:
        return UserError(f"{key} can't be left out: set it with {key}=VALUE")
    if isinstance(error, ValidationError | ConfigTypeError | InterpolationResolutionError | UnsupportedInterpolationType):
        return UserError(f"{key}: {line}")
    return None


def _unknown_setting(key: str) -> UserError:
    known = [name for name, _, _ in settings(Config())]
    if key in known:  # a mapping, to which Hydra adds no entry unasked
        return UserError(f"{key} takes a new entry by +{key}.NAME=VALUE, each by itself")
    group, _, leaf = key.partition(".")
    groups = list(option_groups())
    if not leaf:
        last_parts = [name for name in known if name.split(".")[-1] == key]
        return UserError(
            f"there is no group {key}: " + (f"did you mean {' or '.join(last_parts)}?" if last_parts else nearest(key, groups))
        )
    if key.startswith("hydra.launcher."):
        names = {item.name for launcher in LAUNCHERS.values() for item in fields(launcher)}
        return UserError(f"there is no setting {key}: {nearest(key.rpartition('.')[2], sorted(names))}")
    leaves = [name.partition(".")[2] for name in known if name.startswith(f"{group}.")]
    return UserError(f"there is no setting {key}: {nearest(leaf, leaves) if leaves else nearest(group, groups)}")


def _unknown_keys(node: DictConfig, schema: Any, prefix: str) -> Iterator[str]:
    """Keys that were added with + and that the schema does not have; free-form mappings may hold any."""
    types = {item.name: item.type for item in fields(schema)}
    for key in map(str, node):
        if key not in types:
            yield prefix + key
        elif is_dataclass(types[key]) and isinstance(node[key], DictConfig):
            yield from _unknown_keys(node[key], types[key], f"{prefix}{key}.")
