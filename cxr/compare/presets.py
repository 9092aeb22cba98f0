"""The preset that a logged run is a run of, by the preset's config of today."""

import json
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any

import yaml

from cxr.config.compose import compose, typed
from cxr.config.fields import flat_params
from cxr.config.options import CONF_DIR, option_groups, own_folder
from cxr.config.renamed import renamed_choices
from cxr.config.schema import Config, EvaluationConfig
from cxr.errors import UserError
from cxr.evaluation.roles import with_costs_by_class
from cxr.model.resolve import resolve
from cxr.stages.basis import bears_on_result, settings_in
from cxr.stages.table import Part
from cxr.tracking.logged_run import LoggedRun

# In the order in which a reader wants them; presets of the user's own come after them, by name.
ORDER = (
    *("original_protocol", "frozen_head_baseline", "cost_sensitive_head", "fast"),
    *("fine_tuned", "high_sensitivity", "lungs_first", "full"),
)
BASELINE = "frozen_head_baseline"


def preset_names() -> list[str]:
    """The presets that there are, in the order of a table."""
    names = option_groups()["experiment"]
    return [*(name for name in ORDER if name in names), *(name for name in names if name not in ORDER)]


def about(preset: str) -> str:
    """The comment of a preset's file that says what it is for, which every preset of cxr has; "" without one."""
    for folder in filter(None, (CONF_DIR, own_folder())):
        file = Path(folder) / "experiment" / f"{preset}.yaml"
        if file.is_file():
            lines = file.read_text(encoding="utf-8").splitlines()
            comments = [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
            return next((comment for comment in comments if not comment.startswith(("@package", "cxr "))), "")
    return ""


def preset_of(run: LoggedRun) -> str | None:
    """The preset whose config a run had, with the run's own data, split, backbone and seed; None for any other config.

    A run of a preset with one value changed does not count, nor does one of a preset that has changed since.
    """
    choices = _choices(run)
    name = choices.get("experiment", "None")
    if name not in preset_names():
        return None
    wanted = _decided(name, choices.get("backbone", "mobilenet_v2"), run.params)
    off = flat_params(Config())  # the values of settings that are newer than the run
    return name if wanted and all(run.params.get(key, off.get(key)) == value for key, value in wanted.items()) else None


def _choices(run: LoggedRun) -> dict[str, str]:
    try:
        choices = yaml.safe_load(run.file("config/choices.yaml").read_text(encoding="utf-8"))
    except (UserError, OSError, ValueError, yaml.YAMLError):
        return {}
    return renamed_choices({str(group): str(option) for group, option in choices.items()}) if isinstance(choices, dict) else {}


def _decided(name: str, backbone: str, params: Mapping[str, str]) -> dict[str, str]:
    """What a preset sets for the backbone and the classes of a run, as params; empty where they no longer compose."""
    try:
        config = _composed(name, backbone)
        own = {key: params[f"backbone.{key}"] for key in ("name", "weights", "alpha", "image_size") if f"backbone.{key}" in params}
        values: dict[str, Any] = {**own, "alpha": float(own.get("alpha", 1)), "image_size": int(own.get("image_size", 224))}
        file = params.get("backbone.file", "None")
        backbone_config = replace(config.backbone, file=None if file == "None" else file, **values)
        resolved = resolve(replace(config, backbone=backbone_config, evaluation=_roles_in(config.evaluation, params))).config
        costs = json.loads(params.get("loss.costs", "{}"))
        whole = flat_params(with_costs_by_class(resolved, sorted({*costs, *chain(*costs.values())})))
    except (UserError, ValueError, TypeError, AttributeError):
        return {}
    return {key: value for key, value in whole.items() if key in settings_in(Part.RECIPE) and bears_on_result(key, whole)}


def _roles_in(evaluation: EvaluationConfig, params: Mapping[str, str]) -> EvaluationConfig:
    """An evaluation with the roles that the params of a run name."""
    named = {key: name for key in ("urgent", "routine") if (name := params.get(f"evaluation.{key}", "None")) != "None"}
    return replace(evaluation, urgent=named.get("urgent"), routine=named.get("routine"))


@lru_cache(maxsize=64)
def _composed(name: str, backbone: str) -> Config:
    """The preset with a backbone; the data is left at its default, as it sets nothing that a preset decides."""
    file = ["backbone.file=any"] if backbone == "keras_file" else []  # the run has its path
    return typed(compose([f"experiment={name}", f"backbone={backbone}", *file])[0])
