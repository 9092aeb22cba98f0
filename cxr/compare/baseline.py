"""The frozen-head baseline of a run: the latest one on the same data and split."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from omegaconf import OmegaConf

from cxr.compare.runs import SAME, groups_of, read_evaluated_run, why_not_comparable
from cxr.config.compose import compose, typed
from cxr.config.fields import flat_params
from cxr.config.provenance import Provenance
from cxr.config.schema import Config
from cxr.evaluation.estimates import interval_name
from cxr.evaluation.paired import Difference, corrected, paired_differences
from cxr.evaluation.predictions import Predictions
from cxr.model.resolve import resolve
from cxr.stages.basis import bears_on_result, settings_in
from cxr.stages.table import Part
from cxr.text import in_shell
from cxr.tracking.logged_run import LoggedRun
from cxr.tracking.outbox import is_lost_connection
from cxr.tracking.search import finished_runs

PRESET = "experiment=frozen_head_baseline"
_USUAL = {"data": "phantom", "split": "three_way"}
# Groups of options that a baseline has in common with the run that it is made for.
_GROUPS = ("input_range", *sorted({key.partition(".")[0] for key in settings_in(Part.SUBJECT)}))


@dataclass(frozen=True)
class AgainstBaseline:
    """The differences of a run from its baseline, or the reason why there is no comparison."""

    baseline: LoggedRun | None
    differences: list[Difference] = field(default_factory=list)
    reason: str = ""

    def metrics(self) -> dict[str, float]:
        """`vs_baseline/METRIC`, and its interval and p-value as `interval_name` has them."""
        metrics: dict[str, float] = {}
        for difference in self.differences:
            name = f"vs_baseline/{difference.metric}"
            metrics[name] = difference.difference
            ends = {"lo": difference.low, "hi": difference.high, "p": difference.p_value}
            metrics |= {interval_name(f"{name}_{end}"): value for end, value in ends.items() if value is not None}
        return metrics

    def document(self) -> dict[str, Any]:
        """The baseline and every difference, for a JSON file."""
        assert self.baseline is not None
        return {
            "baseline": {"run_id": self.baseline.id, "name": self.baseline.name},
            "differences": [vars(difference) for difference in self.differences],
        }


def baselines_like(tags: Mapping[str, Any]) -> list[LoggedRun]:
    """Finished baselines on the same data and split as a run with these tags, latest first. The store has to be open."""
    if not set(SAME) <= set(tags):
        return []  # not made by cxr
    return finished_runs({"cxr.role": "baseline", **{name: tags[name] for name in SAME}})


def against_baseline(tags: Mapping[str, Any], predictions: Predictions, provenance: Provenance) -> AgainstBaseline:
    """Compare a run with the latest baseline on the same data and split; without one, give the reason.

    A server that is lost takes the comparison with it, and not the run.
    """
    try:
        baselines = baselines_like(tags)
        if not baselines:
            return AgainstBaseline(None, reason=_why_no_baseline(tags, provenance))
        return AgainstBaseline(baselines[0], _differences_from(baselines[0], predictions))
    except Exception as error:
        if not is_lost_connection(error):
            raise
        return AgainstBaseline(None, reason="the server was lost: run cxr compare when it has the run")


def _differences_from(baseline: LoggedRun, predictions: Predictions) -> list[Difference]:
    evaluated = read_evaluated_run(baseline)
    reference = evaluated.predictions.in_order(predictions.ids)
    return corrected([paired_differences(reference, predictions, groups_of(evaluated, predictions.ids))])[0]


def baseline_for(config: Config, provenance: Provenance) -> tuple[Config, Provenance]:
    """The preset's config on a run's own data, split and backbone, and for its store."""
    made, of_preset = _preset_on(config, [PRESET, *_shared(provenance)])
    return made, replace(of_preset, yaml=OmegaConf.to_yaml(OmegaConf.structured(made)))


def _preset_on(config: Config, overrides: list[str]) -> tuple[Config, Provenance]:
    """The composed overrides, with data, split, backbone, seed and result-neutral settings of a config."""
    composed, of_preset = compose(overrides)
    preset = typed(composed)
    recipe = {key.partition(".")[2] for key in settings_in(Part.RECIPE) if key.startswith("training.")}
    training = replace(config.training, name=preset.training.name, **{name: getattr(preset.training, name) for name in recipe})
    made = replace(
        preset,
        data=config.data,
        split=config.split,
        backbone=config.backbone,
        engine=config.engine,
        evaluation=config.evaluation,
        training=training,
        tracking=replace(config.tracking, role="baseline", run_name=None),
    )
    return made, of_preset


def earned_role(config: Config, provenance: Provenance) -> tuple[Config, Provenance, str]:
    """Config and provenance with their role, and the reason if a run can't be a baseline; "" otherwise.

    A baseline is the preset, on any data, split, backbone and seed; any other run is a candidate.
    """
    if config.tracking.role != "baseline":
        return config, provenance, ""
    preset, _ = _preset_on(config, [PRESET])
    wanted, own = (flat_params(resolve(whole).config) for whole in (preset, config))
    other = [f"{key}={value}" for key, value in own.items() if bears_on_result(key, own) and wanted.get(key) != value]
    if not other:
        return config, provenance, ""
    candidate = replace(config, tracking=replace(config.tracking, role="candidate"))
    return candidate, replace(provenance, yaml=OmegaConf.to_yaml(OmegaConf.structured(candidate))), ", ".join(other)


def command_for(provenance: Provenance) -> str:
    """The command that makes the missing baseline of a run."""
    return in_shell("cxr", PRESET, *_shared(provenance))


def _shared(provenance: Provenance) -> list[str]:
    """The overrides of data, split and backbone."""
    chosen = [
        f"{group}={provenance.choices[group]}"
        for group, usual in _USUAL.items()
        if provenance.choices.get(group) not in (usual, None)
    ]
    overrides = [override for override in provenance.overrides if override.lstrip("+~").startswith(_GROUPS)]
    return list(dict.fromkeys([*chosen, *overrides]))


def _why_no_baseline(tags: Mapping[str, Any], provenance: Provenance) -> str:
    others = finished_runs({"cxr.role": "baseline"})
    make = f"make one with: {command_for(provenance)}  (or add baseline.auto=true)."
    if not others:
        return f"there is no baseline yet; {make}"
    return f"no baseline can be compared with this run: the latest can't, as {why_not_comparable(others[0].tags, tags)}; {make}"
