"""The settings that an evaluation changes."""

from collections.abc import Sequence
from dataclasses import replace

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from cxr.config.compose import as_user_error, compose, typed
from cxr.config.fields import settings
from cxr.config.schema import Config, DataConfig
from cxr.errors import UserError
from cxr.text import nearest


def check_overrides(overrides: Sequence[str]) -> None:
    """Raise `UserError` for what no evaluation can change, before anything of the run is read."""
    for override in overrides:
        if "=" not in override or _group(override) not in ("data", "evaluation"):
            raise UserError(
                f"{override!r} can't be changed in an evaluation: give evaluation.SETTING=VALUE for other targets or costs, or "
                "data=GROUP and data.SETTING=VALUE for other data"
            )
    of_data = [override for override in overrides if _group(override) == "data"]
    if of_data and not any(override.startswith("data=") for override in of_data):
        raise UserError("name the kind of the other data: data=folder data.root=FOLDER, or data=manifest data.manifest=FILE")


def request_of(logged: Config, overrides: Sequence[str]) -> tuple[Config, bool]:
    """The logged config with overrides of evaluation and data, and whether its data is other than the run's own.

    Raises:
        UserError: An override is of another setting, or its value makes no sense.
    """
    check_overrides(overrides)
    of_data = [override for override in overrides if _group(override) == "data"]
    config = _with_evaluation(logged, [override for override in overrides if _group(override) == "evaluation"])
    if of_data:
        config = replace(config, data=_other_data(logged, of_data))
    return typed(OmegaConf.structured(config)), bool(of_data)


def _other_data(logged: Config, overrides: Sequence[str]) -> DataConfig:
    """Other data, read by the model's rule for grey levels and with all of its classes, unless the overrides choose others."""
    data = typed(compose(list(overrides))[0]).data
    keys = {override.lstrip("+").partition("=")[0] for override in overrides}
    classes = data.classes if data.phantom is not None or "data.classes" in keys else None  # an option lists those to train on
    grey = data.grey if "data.grey" in keys else logged.data.grey
    return replace(data, classes=classes, grey=grey, aliases={**logged.data.aliases, **data.aliases})


def _group(override: str) -> str:
    return override.lstrip("+~").partition("=")[0].partition(".")[0]


def _with_evaluation(logged: Config, overrides: Sequence[str]) -> Config:
    config = OmegaConf.structured(logged)
    known = [name for name, _, _ in settings(logged) if name.startswith("evaluation.")]
    for override in sorted(overrides, key=lambda override: not override.startswith("evaluation=")):  # options first, as Hydra does
        if override.startswith("evaluation="):
            config.evaluation = compose([override])[0].evaluation
            continue
        key = override.lstrip("+").partition("=")[0]
        if key not in known and not key.startswith("evaluation.costs."):
            raise UserError(f"there is no setting {key}: {nearest(key, known)}")
        try:
            config.merge_with_dotlist([override.lstrip("+")])
        except OmegaConfBaseException as error:
            raise as_user_error(error) from None
    return typed(config)
